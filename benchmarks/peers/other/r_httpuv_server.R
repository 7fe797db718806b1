# R's httpuv, for comparison: Rscript r_httpuv_server.R --port N [--root DIR]
suppressMessages(library(httpuv))

args <- commandArgs(trailingOnly = TRUE)
value <- function(name) {
  at <- match(name, args)
  if (is.na(at)) NULL else args[[at + 1]]
}

everyone <- new.env()
count <- 0

app <- list(
  call = function(req) {
    list(status = 200L, headers = list("Content-Type" = "text/plain"), body = "Hello world!")
  },
  onWSOpen = function(ws) {
    if (ws$request$PATH_INFO != "/broadcast") {
      ws$onMessage(function(binary, message) ws$send(message))
    } else {
      count <<- count + 1
      key <- as.character(count)
      assign(key, ws, envir = everyone)
      ws$onClose(function() rm(list = key, envir = everyone))
      ws$onMessage(function(binary, message) {
        for (other in ls(everyone)) get(other, envir = everyone)$send(message)
      })
    }
  }
)
root <- value("--root")
if (!is.null(root) && nzchar(root)) app$staticPaths <- list("/static" = root)

server <- startServer("127.0.0.1", as.integer(value("--port")), app)
while (TRUE) service(1000)
