"""Why cases of other servers' own test suites fail here: by suite, then by case.

Most compare what is that server's own: its texts, its name, an older version of a specification.
"""

from __future__ import annotations

_TEXT = "compares the server's own text for an error; the status is the same"
_KEEP_ALIVE = "`Connection: keep-alive` has no case (RFC 9110, 7.6.1); the test compares it"
_LENGTH = "an answer that is complete gets its true Content-Length, whatever the application said"
_KEPT = "a chunked answer does not end the connection (RFC 9112, 9.3); there it always does"
_RESET = "an answer that breaks off ends with a reset; the test reads on and fails at that"
_UNKNOWN = "a request that begins with 1,000 letters has an unknown method: 501, not 431"
_CHUNK = (
    "a chunk size with an empty extension, `20;`, is no chunk (RFC 9112, 7.1.1): 400 comes first"
)
_WHOLE = "a list of two pieces leaves as one, with its length; there it is chunked"
_FAILURE = "500 for a failure of the application does not end the connection"
_FIRST = "the head leaves with the first bytes (PEP 3333): an error before those is 500, not 200"
_REASON = "websocket.disconnect has a reason since version 2.3; the test compares the whole message"
_HELD = "the head of a refusal waits for its body: a failure in between is 500"
_CLOSE = "compares how that server cuts a WebSocket; here the client gets a Close frame with a code"
_SERVER = "there is no Server field"
_VERSION = "compares the version of the specification, here 2.5"
_ROOT = "root_path from a field of the request, Daphne-Root-Path: not offered, clients could set it"
_LIST = "client is a tuple here, a list there"
_ASKED_TO_CLOSE = (
    "a client that sends `Connection: close` gets it back (RFC 9112, 9.6); there it is ignored"
)
_OBS_TEXT = "bytes from 0x80 on are allowed in a value (RFC 9110, 5.5)"

WAITRESS: dict[str, str] = {
    "EchoTests::test_broken_chunked_encoding_invalid_extension": _TEXT,
    "EchoTests::test_broken_chunked_encoding_invalid_hex": _TEXT,
    "EchoTests::test_broken_chunked_encoding_missing_chunk_end": _TEXT,
    "EchoTests::test_keepalive_http10_explicit": _KEEP_ALIVE,
    "EchoTests::test_proxy_headers": "fields of proxies are used, and left in the environ",
    "BadContentLengthTests::test_long_body": _LENGTH,
    "BadContentLengthTests::test_short_body": _LENGTH,
    "NoContentLengthTests::test_http10_list": _KEEP_ALIVE,
    "NoContentLengthTests::test_http10_listlentwo": _WHOLE,
    "NoContentLengthTests::test_http11_generator": _KEPT,
    "NoContentLengthTests::test_http11_listlentwo": _WHOLE,
    "WriteCallbackTests::test_short_body": _RESET,
    "TooLargeTests::test_request_body_too_large_chunked_encoding": _CHUNK,
    "TooLargeTests::test_request_body_too_large_with_no_cl_http10_keepalive": _UNKNOWN,
    "TooLargeTests::test_request_body_too_large_with_no_cl_http11": _UNKNOWN,
    "TooLargeTests::test_request_body_too_large_with_wrong_cl_http10_keepalive": _UNKNOWN,
    "TooLargeTests::test_request_body_too_large_with_wrong_cl_http11": _UNKNOWN,
    "InternalServerErrorTests::test_after_start_response_http11": _FAILURE,
    "InternalServerErrorTests::test_after_write_cb": _FIRST,
    "InternalServerErrorTests::test_before_start_response_http_11": _FAILURE,
    "InternalServerErrorTests::test_in_generator": _FIRST,
    "InternalServerErrorTestsWithTraceback::test_expose_tracebacks_http_11": _TEXT,
    "FileWrapperTests::test_notfilelike_longcl_http11": _RESET,
    "FileWrapperTests::test_notfilelike_nocl_http11": _KEPT,
}

DAPHNE: dict[str, str] = {
    "TestHTTPRequest::test_headers_are_lowercased_and_stripped": "Host, which the adapter adds",
    "TestHTTPRequest::test_request_body_chunking": "request_buffer_size is daphne's alone",
    "TestHTTPRequest::test_root_path_header": _ROOT,
    "TestHTTPRequest::test_x_forwarded_for_no_port": _LIST,
    "TestHTTPRequest::test_x_forwarded_for_parsed": _LIST,
    "TestHTTPResponse::test_headers": "Date and Content-Length are added",
    "TestHTTPResponse::test_headers_type": _TEXT,
    "TestHTTPResponse::test_headers_type_raw": _TEXT,
    "TestHTTPResponse::test_status_code_required": _TEXT,
    "TestWebsocket::test_application_checker_handles_asyncio_cancellederror": "needs Twisted",
    "TestWebsocket::test_root_path": _ROOT,
    "TestWebsocket::test_websocket_max_frame_size": "messages are limited, not their frames",
    "TestWebsocket::test_websocket_max_message_size": "its application asks on behind the end",
    "TestWebsocket::test_xff": _LIST,
    "TestHeaderValueInjection::test_http_request_rejects_invalid_header_value_bytes": _OBS_TEXT,
    "TestHeaderValueInjection::test_websocket_upgrade_rejects_smuggled_headers": _OBS_TEXT,
}

UVICORN: dict[str, str] = {
    "test_invalid_upgrade": _TEXT,
    "test_supports_permessage_deflate_extension": "clients on this machine are not compressed for",
    "test_duplicate_handshake": _CLOSE,
    "test_asgi_return_value": "what an application returns is of no interest",
    "test_connection_lost_before_handshake_complete": "the code is 1001 where the server stops",
    "test_send_close_on_server_shutdown": "1001 is for a server that stops (RFC 6455, 7.4.1)",
    "test_send_binary_data_to_server_bigger_than_default_on_websockets": "the reason of the Close"
    " frame is beyond the 11 bytes that this client takes",
    "test_server_reject_connection": _REASON,
    "test_server_reject_connection_with_response": _REASON,
    "test_server_reject_connection_with_multibody_response": _REASON,
    "test_server_reject_connection_with_invalid_msg": _HELD,
    "test_server_reject_connection_with_missing_body": _HELD,
    "test_server_multiple_websocket_http_response_start_events": _HELD,
    "test_default_server_headers": _SERVER,
    "test_multiple_server_header": _SERVER,
    "test_default_default_headers": _SERVER,
    "test_add_additional_header": _SERVER,
    "test_disable_default_date_header": "a server with a clock sends Date (RFC 9110, 6.6.1)",
}

DJANGO: dict[str, str] = {
    "LiveServerViews::test_closes_connection_without_content_length": _KEPT,
    "LiveServerViews::test_keep_alive_connection_clears_previous_request_data": _ASKED_TO_CLOSE,
    "LiveServerViews::test_keep_alive_on_connection_with_content_length": _ASKED_TO_CLOSE,
    "SingleThreadLiveServerViews::test_closes_connection_with_content_length": "one thread serves"
    " all connections, so it need not close them; there it can serve only one",
}

GRANIAN: dict[str, str] = {
    "test_scope": _VERSION + "; or `a,b` where fields are joined by `, ` (RFC 9110, 5.3)",
    "test_protocol_error": _TEXT,
    "test_reject": "an application that returns without a word has failed: 500, not 403",
    "test_asgi_scope": _VERSION,
    "test_tls_encrypted_key": "asks for an RSGI server",
}
