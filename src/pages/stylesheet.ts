/** The colors of each scheme, by the name of their custom property. Themes replace them. */
export const colors = {
  accent: ['#3d4fd1', '#b4bffc'],
  'on-accent': ['#ffffff', '#161d50'],
  surface: ['#ffffff', '#1b1c21'],
  background: ['#f4f5f8', '#111216'],
  text: ['#1b1c22', '#e8e9ee'],
  muted: ['#575b67', '#a6aab7'],
  line: ['#7d818d', '#7f8491'],
  edge: ['#e2e4ea', '#2d2f37'],
  danger: ['#b3261e', '#f5b5b0'],
  good: ['#146c3a', '#8fd6a8'],
} as const satisfies Record<string, ColorPair>

/** Sizes and fonts that themes may replace as well. */
export const measures = {
  radius: '.625rem',
  font: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif",
} as const

/** A color in each scheme. */
export type ColorPair = readonly [light: string, dark: string]

/** Declares custom properties. Browsers without `light-dark()` get the light colors. */
export function customProperties(
  pairs: Readonly<Record<string, ColorPair>>,
  others: Readonly<Record<string, string>> = {},
): string {
  const entries = Object.entries(pairs)
  const plain = [
    ...entries.map(([name, [light]]) => `--${name}:${light}`),
    ...Object.entries(others).map(([name, value]) => `--${name}:${value}`),
  ].join(';')
  const both = entries.map(([name, [light, dark]]) => `--${name}:light-dark(${light},${dark})`)
  return `:root{${plain}}
@supports (color:light-dark(#000,#fff)){:root{color-scheme:light dark;${both.join(';')}}}
`
}

/** The stylesheet of all pages: 10 KB at most, without a font or an image to load. */
export const stylesheet = `${customProperties(colors, measures)}:root{font:100%/1.5 var(--font);background:var(--background);color:var(--text);accent-color:var(--accent);-webkit-text-size-adjust:100%}
*,::before,::after{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100dvh;display:flex;flex-direction:column;align-items:center;padding:1.5rem 1rem 0}
.card{width:100%;max-width:27rem;margin:min(8vh,7rem) 0 auto;padding:2.5rem 2.25rem 2.25rem;background:var(--surface);border:1px solid var(--edge);border-radius:calc(var(--radius)*2);box-shadow:0 1px 2px #0000000a,0 12px 32px -12px #0000001f}
.logo{display:block;height:2.5rem;width:auto;max-width:100%;object-fit:contain;margin:0 0 1.5rem}
.logos{display:flex;margin:0 0 1.5rem}
.logos .logo{min-width:0;max-width:calc(50% - 1rem);margin:0}
.logo+.logo{box-sizing:content-box;margin-inline-start:1rem;padding-inline-start:1rem;border-inline-start:1px solid var(--edge)}
h1{font-size:1.5rem;line-height:1.25;font-weight:650;letter-spacing:-.011em;margin:0 0 .5rem;text-wrap:balance;overflow-wrap:anywhere}
h2{font-size:1.0625rem;line-height:1.35;font-weight:650;margin:1.75rem 0 .5rem}
p{margin:0 0 1rem;overflow-wrap:anywhere}
:lang(ja) :is(h1,p){overflow-wrap:normal;word-break:auto-phrase}
h1+:not(.lead){margin-top:1.5rem}
.lead{color:var(--muted);margin-bottom:1.5rem}
a{color:var(--accent);text-underline-offset:.2em;text-decoration-thickness:.08em}
a:hover{text-decoration-thickness:.14em}
form{margin:0}
.field{margin:0 0 1.25rem}
label,.label{display:block;font-weight:600;font-size:.9375rem;margin-bottom:.375rem}
.input{position:relative}
input:not([type=checkbox],[type=radio]),select{width:100%;min-height:2.875rem;font:inherit;color:inherit;background:var(--surface);padding:.5rem .875rem;border:1px solid var(--line);border-radius:var(--radius)}
input:read-only:not([type=checkbox],[type=radio]){background:var(--background)}
[aria-invalid]:not(button){border-color:var(--danger)!important;box-shadow:inset 0 0 0 1px var(--danger)}
.input:has(.reveal:not([hidden])) input{padding-inline-end:3rem}
.code input{font:600 1.375rem/1.5 ui-monospace,Menlo,Consolas,monospace;letter-spacing:.16em;text-transform:uppercase;direction:ltr}
.hint,small{color:var(--muted);font-size:.875rem}
.field .hint{margin:-.125rem 0 .375rem}
.error{color:var(--danger);font-size:.875rem;font-weight:500;margin:.375rem 0 0}
.check{display:flex;gap:.625rem;align-items:center;font-weight:400;margin:0 0 1.25rem;min-height:1.75rem}
.check input{flex:none;width:1.25rem;height:1.25rem;margin:0}
.between{font-size:.875rem;display:flex;flex-wrap:wrap;gap:0 1rem;justify-content:space-between;align-items:center}
.between>p{margin:0 0 1.25rem}
.between>.check{font-size:inherit}
.between a{display:inline-block;padding:.125rem 0}
button,.button{display:flex;align-items:center;justify-content:center;gap:.5rem;width:100%;min-height:2.875rem;font:inherit;font-weight:600;text-align:center;text-decoration:none;cursor:pointer;padding:.5rem 1rem;margin:0 0 .75rem;border:1px solid transparent;border-radius:var(--radius);background:var(--accent);color:var(--on-accent)}
button:hover,.button:hover{filter:brightness(1.08)}
button:active,.button:active{filter:brightness(.94)}
.secondary{background:transparent;color:var(--text);border-color:var(--line)}
.danger{background:var(--danger);color:var(--surface)}
.link{display:inline;width:auto;min-height:1.5rem;padding:0;margin:0;background:none;color:var(--accent);font-weight:inherit;text-decoration:underline;text-underline-offset:.2em}
.reveal{position:absolute;inset-block:0;inset-inline-end:0;width:2.875rem;min-height:0;margin:0;padding:0;background:none;color:var(--muted)}
.reveal[hidden],.reveal[aria-pressed=true] svg:first-child,.reveal[aria-pressed=false] svg:last-child{display:none}
.icon{flex:none;width:1.25rem;height:1.25rem;fill:none;stroke:currentColor;stroke-width:1.75;stroke-linecap:round;stroke-linejoin:round}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
input:focus-visible{outline-offset:0;border-color:var(--accent)}
.alert:focus{outline:none}
.alert,.notice{display:flex;gap:.75rem;border:1px solid var(--edge);border-inline-start:4px solid var(--accent);border-radius:var(--radius);padding:.875rem 1rem;margin:0 0 1.5rem;font-size:.9375rem}
.alert{border-color:var(--danger)}
.alert .icon{color:var(--danger);margin-top:.1rem}
:is(.alert,.notice) :is(p,ul){margin:0;padding:0;list-style:none}
.alert li{margin-top:.25rem}
.alert a{color:var(--danger)}
.person{display:flex;gap:.75rem;align-items:center;padding:.625rem .75rem;margin:0 0 1.25rem;border:1px solid var(--edge);border-radius:var(--radius);overflow-wrap:anywhere;font-weight:600;line-height:1.35}
.person small{display:block;font-weight:400}
.avatar{flex:none;display:grid;place-items:center;width:2.25rem;height:2.25rem;border-radius:50%;background:var(--accent);color:var(--on-accent)}
.items{list-style:none;margin:0 0 1.25rem;padding:0}
.items li{display:flex;gap:.75rem;padding:.5rem 0;overflow-wrap:anywhere}
.items span{min-width:0}
:lang(ja) .items span{overflow-wrap:break-word;word-break:auto-phrase}
.items .icon{margin-top:.125rem;color:var(--accent)}
.apps li{border:1px solid var(--edge);border-radius:var(--radius);padding:0;margin:0 0 .5rem}
.apps a{flex:1;display:flex;gap:.75rem;align-items:center;padding:.75rem;color:inherit;text-decoration:none;font-weight:600}
.apps .icon{margin:0}
summary{cursor:pointer;min-height:1.5rem;margin:0 0 .75rem;color:var(--muted)}
.card>:last-child{margin-bottom:0}
.after{margin:1.25rem 0 0;padding-top:1.25rem;border-top:1px solid var(--edge);text-align:center}
.after>:last-child{margin-bottom:0}
.after form+p{margin-top:.5rem}
.after a{display:inline-block;padding:.125rem 0}
ol{padding-inline-start:1.25rem;text-align:start}
ol li{margin:0 0 .75rem}
code{display:block;margin:.375rem 0 0;padding:.625rem .75rem;font:.8125rem/1.5 ui-monospace,Menlo,Consolas,monospace;background:var(--background);border:1px solid var(--edge);border-radius:var(--radius);overflow-wrap:anywhere}
.start h2{margin-top:0}
.good{color:var(--good)}
.foot{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;justify-content:center;align-items:center;padding:1.25rem 0;font-size:.875rem;color:var(--muted)}
.foot a{color:inherit;padding:.125rem 0}
.languages{position:relative}
.languages summary{display:flex;align-items:center;gap:.5rem;margin:0;padding:.375rem .625rem;border-radius:var(--radius);list-style:none}
.languages summary::-webkit-details-marker{display:none}
.languages form{position:absolute;z-index:1;bottom:100%;inset-inline-start:0;min-width:12rem;padding:.375rem;background:var(--surface);border:1px solid var(--edge);border-radius:var(--radius);box-shadow:0 8px 28px #0003}
.languages button{justify-content:start;min-height:2.25rem;margin:0;background:none;color:var(--text);font-weight:400}
.languages [aria-current]{font-weight:650;color:var(--accent)}
.languages button:hover{background:var(--background);filter:none}
.sr:not(:focus){position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media (max-width:30rem){:root{background:var(--surface)}body{padding:0 1.25rem}.card{margin:0 0 auto;padding:1.75rem 0 1rem;border:0;box-shadow:none}}
@media (prefers-reduced-motion:no-preference){button,.button,input{transition:filter .12s,border-color .12s,background-color .12s}}
@media (forced-colors:active){.avatar,.button,button{border:1px solid}}
@media print{.foot,button,.reveal{display:none}.card{border:0;box-shadow:none;padding:0;max-width:none}body{display:block}}
`
