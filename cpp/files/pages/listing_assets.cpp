#include "files/pages/listing_assets.h"

namespace httpuv::files {

const std::string_view kBaseStyle = R"css(
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1d21;--mute:#666d78;--line:#e8e9ec;--soft:#f4f5f7;
--accent:#1f5fd6}
@media(prefers-color-scheme:dark){:root{--bg:#121316;--fg:#e7e8ea;--mute:#989fa9;--line:#26282d;
--soft:#1b1d21;--accent:#82aaff}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--fg);
font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
a{color:inherit;text-decoration:none}
a:focus-visible,button:focus-visible,input:focus-visible{outline:2px solid var(--accent);
outline-offset:2px;border-radius:5px}
)css";

// Rows are grids, so that a phone can show the name on a separate line, and so that a long name
// does not make the browser lay out all rows again. content-visibility on each row was tried: with
// 10,000 of them scrolling took ten times as long a frame, since the browser looks at each in every
// frame.
const std::string_view kListingStyle = R"css(
main,header{max-width:66rem;margin:0 auto;padding:0 1.25rem}
header{display:flex;align-items:center;gap:.5rem 1rem;flex-wrap:wrap;padding-top:1.75rem;padding-bottom:.25rem}
h1{flex:1 1 18rem;min-width:0;margin:0;font-size:1.2rem;font-weight:600;line-height:1.5;overflow-wrap:anywhere}
h1 a{color:var(--mute);font-weight:500}
h1 a:hover{color:var(--accent)}
h1 i{margin:0 .4em;color:var(--mute);font-style:normal;font-weight:400;opacity:.6}
h1 .home{display:inline-block;width:1.15em;height:1.15em;vertical-align:-.22em;background:currentColor;
-webkit-mask:var(--home) center/contain no-repeat;mask:var(--home) center/contain no-repeat}
#q{flex:0 1 15rem;min-width:9rem;height:2.25rem;padding:0 .75rem;border:1px solid var(--line);border-radius:8px;
background:var(--soft);color:inherit;font:inherit}
#q::placeholder{color:var(--mute)}
.sum{margin:0 0 1rem;color:var(--mute);font-size:.875rem}
.tools{margin:0 0 1rem}
table{display:block;width:100%;padding-bottom:3rem}
caption{display:none}
thead,tbody{display:block}
tr{display:grid;grid-template-columns:minmax(0,1fr) 6.5rem 9.5rem;align-items:center;
border-bottom:1px solid var(--line)}
tbody tr{position:relative}
tbody tr:hover{background:var(--soft)}
tr[hidden]{display:none}
th,td{padding:0;font-weight:400;text-align:left;min-width:0}
thead tr{position:sticky;top:0;background:var(--bg)}
thead button{padding:.5rem 0;border:0;background:none;color:var(--mute);font:inherit;font-size:.8125rem;
cursor:pointer}
thead button:hover{color:var(--fg)}
th[aria-sort] button{color:var(--fg);font-weight:600}
th[aria-sort=ascending] button::after{content:" \2191"}
th[aria-sort=descending] button::after{content:" \2193"}
td:nth-child(n+2),th:nth-child(n+2){text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
td:nth-child(n+2){color:var(--mute);font-size:.875rem}
td a{display:flex;gap:.7rem;padding:.55rem .5rem .55rem .25rem;overflow-wrap:anywhere}
td a::after{content:"";position:absolute;inset:0}
tr:hover td a{color:var(--accent)}
td a::before{content:"";flex:none;width:1.25rem;height:1.25rem;margin-top:.06rem;background:var(--mute);
-webkit-mask:var(--f) center/contain no-repeat;mask:var(--f) center/contain no-repeat}
.none{padding:3rem 0;color:var(--mute);text-align:center}
@media(max-width:40rem){
body{font-size:16px}
main,header{padding:0 1rem}
header{padding-top:1.1rem}
#q{flex:1 1 100%;height:2.6rem;margin:.35rem 0}
tr{grid-template-columns:auto minmax(0,1fr);padding:.2rem 0}
thead tr{grid-template-columns:auto auto 1fr;gap:1.25rem}
td:first-child{grid-column:1/-1}
td a{padding:.45rem 0 .1rem}
td:nth-child(n+2){padding-bottom:.45rem;font-size:.8125rem;text-align:left}
td:nth-child(2){padding-left:1.95rem}
td:nth-child(2):not(:empty){padding-right:.9rem}
th:nth-child(n+2){text-align:left}
.up td a{padding-bottom:.5rem}.up td:nth-child(n+2){display:none}
}
)css";

// 24 x 24, as masks: their colour is that of the text.
#define HTTPUV_ICON(shape)                                                                  \
  "url(\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' "   \
  "fill='none' "                                                                            \
  "stroke='black' stroke-width='1.6' stroke-linecap='round' stroke-linejoin='round'>" shape \
  "</svg>\")"
#define HTTPUV_PAGE "<path d='M6 3.5h8L18.5 8v12.5H6zM14 3.5V8h4.5'/>"

const std::string_view kListingIcons =
    ":root{--home:" HTTPUV_ICON("<path d='M4 11l8-7 8 7v9h-5.5v-5.5h-5V20H4z'/>")
    ";--f:" HTTPUV_ICON(HTTPUV_PAGE)
    ";--d:" HTTPUV_ICON("<path fill='black' d='M3.5 6.5a1 1 0 0 1 1-1H9l2 2.2h8.5a1 1 0 0 1 1 1v9.3a1 1 0 0 1-1 "
                        "1h-15a1 1 0 0 1-1-1z'/>")
    ";--u:" HTTPUV_ICON("<path d='M9 14.5L4.5 10 9 5.5M4.5 10H14a5.5 5.5 0 0 1 5.5 5.5V19'/>")
    ";--i:" HTTPUV_ICON("<path d='M4 4.5h16v15H4zM4 16l4.5-4.5 4 4 2.5-2.5 5 4'/><circle cx='15.5' "
                        "cy='9' r='1.4'/>")
    ";--v:" HTTPUV_ICON("<path d='M3.5 5.5h17v13h-17zM10 9l5 3-5 3z'/>")
    ";--a:" HTTPUV_ICON("<path d='M9 17.5V5.5l10-2v12'/><circle cx='6.5' cy='17.5' r='2.5'/><circle "
                        "cx='16.5' cy='15.5' r='2.5'/>")
    ";--z:" HTTPUV_ICON("<path d='M4.5 8.5h15V20h-15zM3.5 4h17v4.5h-17zM10 12.5h4'/>")
    ";--t:" HTTPUV_ICON(HTTPUV_PAGE "<path d='M9 12.5h6M9 16h6'/>")
    ";--c:" HTTPUV_ICON("<path d='M8.5 8L4.5 12l4 4M15.5 8l4 4-4 4M13 6l-2 12'/>")
    ";--b:" HTTPUV_ICON("<path d='M4 5h16v14H4zM4 9.7h16M4 14.3h16M10 5v14'/>")
    "}\n"
    "td .d::before{-webkit-mask-image:var(--d);mask-image:var(--d);background:var(--accent)}"
    "td .u::before{-webkit-mask-image:var(--u);mask-image:var(--u)}"
    "td .i::before{-webkit-mask-image:var(--i);mask-image:var(--i)}"
    "td .v::before{-webkit-mask-image:var(--v);mask-image:var(--v)}"
    "td .a::before{-webkit-mask-image:var(--a);mask-image:var(--a)}"
    "td .z::before{-webkit-mask-image:var(--z);mask-image:var(--z)}"
    "td .t::before{-webkit-mask-image:var(--t);mask-image:var(--t)}"
    "td .c::before{-webkit-mask-image:var(--c);mask-image:var(--c)}"
    "td .b::before{-webkit-mask-image:var(--b);mask-image:var(--b)}\n";

#undef HTTPUV_PAGE
#undef HTTPUV_ICON

const std::string_view kListingScript = R"js(
(() => {
  const body = document.querySelector("tbody");
  const head = document.querySelector("thead");
  const rows = [...body.rows].filter((row) => row.className !== "up");
  const name = (row) => row.cells[0].textContent;
  const two = (number) => String(number).padStart(2, "0");

  for (const time of body.getElementsByTagName("time")) {
    const at = new Date(time.dateTime);
    const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
    time.textContent = `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
  }
  for (const zone of document.querySelectorAll(".utc")) zone.remove();
  body.addEventListener("mouseover", (event) => {
    const cell = event.target.closest("tr")?.cells[1];
    if (cell?.dataset.b) cell.parentNode.title = `${Number(cell.dataset.b).toLocaleString()} bytes`;
  });

  const filter = document.getElementById("q");
  const nothing = document.getElementById("nothing");
  const texts = rows.map((row) => name(row).toLowerCase());
  const apply = () => {
    const wanted = filter.value.trim().toLowerCase();
    let shown = 0;
    rows.forEach((row, i) => {
      row.hidden = !texts[i].includes(wanted);
      shown += row.hidden ? 0 : 1;
    });
    nothing.hidden = shown > 0 || rows.length === 0;
  };
  filter.hidden = rows.length < 2;
  filter.addEventListener("input", apply);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== filter && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      filter.focus();
    } else if (event.key === "Escape" && filter.value) {
      filter.value = "";
      apply();
    }
  });
  apply();

  const names = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const keys = {
    name: (a, b) => names.compare(name(a), name(b)),
    size: (a, b) => Number(a.cells[1].dataset.b || 0) - Number(b.cells[1].dataset.b || 0),
    time: (a, b) => a.cells[2].firstChild.dateTime < b.cells[2].firstChild.dateTime ? -1 :
      a.cells[2].firstChild.dateTime > b.cells[2].firstChild.dateTime ? 1 : 0,
  };
  const folder = (row) => row.cells[0].firstChild.className === "d" ? 0 : 1;
  head.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    event.preventDefault();
    const descending = button.value[0] === "-";
    const key = button.value.replace("-", "");
    const sign = descending ? -1 : 1;
    const sorted = [...rows].sort((a, b) => folder(a) - folder(b) ||
      sign * keys[key](a, b) || names.compare(name(a), name(b)));
    body.append(...sorted);
    for (const each of head.querySelectorAll("th")) each.removeAttribute("aria-sort");
    button.closest("th").setAttribute("aria-sort", descending ? "descending" : "ascending");
    history.replaceState(null, "", `?sort=${button.value}`);
    for (const each of head.querySelectorAll("button")) {
      const its = each.value.replace("-", "");
      each.value = its === key ? (descending ? key : `-${key}`) : (its === "name" ? its : `-${its}`);
    }
  });
})();
)js";

}  // namespace httpuv::files
