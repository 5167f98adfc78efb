# The page: ui/ built by npm into ui/dist, gzipped and embedded with .incbin (tools/embed-ui.sh writes the .S and the table). Without npm, or before
# the first `npm ci`, ui/fallback/ is embedded instead.
option(BN_UI "build the page with npm" ON)
find_program(NPM npm)
set(assets ${CMAKE_BINARY_DIR}/assets)
file(GLOB_RECURSE ui_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/ui/src/* ${CMAKE_SOURCE_DIR}/ui/index.html)
file(GLOB ui_config CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/ui/*.json ${CMAKE_SOURCE_DIR}/ui/*.ts ${CMAKE_SOURCE_DIR}/ui/*.mjs)
file(GLOB ui_fallback CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/ui/fallback/*)
if(BN_UI AND NPM AND EXISTS ${CMAKE_SOURCE_DIR}/ui/package-lock.json)
  set(ui_mode npm)
else()
  set(ui_mode fallback)
endif()
message(STATUS "page: ${ui_mode}")
add_custom_command(
  OUTPUT ${assets}/assets.S ${assets}/assets.c
  COMMAND ${CMAKE_SOURCE_DIR}/tools/embed-ui.sh ${ui_mode} ${CMAKE_SOURCE_DIR}/ui ${assets}
  DEPENDS ${CMAKE_SOURCE_DIR}/tools/embed-ui.sh ${ui_sources} ${ui_config} ${ui_fallback}
  COMMENT "page: building and embedding (${ui_mode})" VERBATIM)
enable_language(ASM)
add_library(bn_assets OBJECT ${assets}/assets.S ${assets}/assets.c)
target_link_libraries(bn_assets PRIVATE bn_flags)
set_source_files_properties(${assets}/assets.S PROPERTIES OBJECT_DEPENDS ${assets}/assets.c)
