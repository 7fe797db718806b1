// What crosses between the loop thread and the application: events out, commands in.
#pragma once

#include "server/message/commands.h"
#include "server/message/events.h"
