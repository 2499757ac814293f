/** The stylesheet of the account pages, beside that of all pages. */
export const accountStylesheet = `.account{width:100%;max-width:62rem;display:grid;grid-template:auto 1fr/16rem minmax(0,1fr);gap:1rem 2rem;margin:0 auto auto}
.account header{grid-column:1/-1;display:flex;align-items:center;gap:.75rem;font-weight:600;overflow-wrap:anywhere}
.account header img{height:2rem;width:auto}
.account header a{flex:none;margin-inline-start:auto;padding:.25rem 0;font-weight:400}
.account nav ul,.rows,.cards{list-style:none;margin:0;padding:0}
.account nav a{display:flex;align-items:center;gap:.625rem;padding:.5rem .75rem;border-radius:var(--radius);color:inherit;text-decoration:none}
.account nav a:hover{background:var(--surface)}
.account nav [aria-current]{background:var(--surface);color:var(--accent);font-weight:650;box-shadow:0 0 0 1px var(--edge)}
.account main{padding-bottom:1rem}
.panel{padding:1.5rem;margin:0 0 1.25rem;background:var(--surface);border:1px solid var(--edge);border-radius:calc(var(--radius)*1.5)}
.panel h2:first-child{margin-top:0}
.panel>:last-child,.panel form>:last-child{margin-bottom:0}
.panel :is(.field,form>button,form>.button){max-width:26rem}
.row{display:flex;gap:.75rem 1.5rem;align-items:center;justify-content:space-between;padding:1rem 0;border-top:1px solid var(--edge)}
.row:first-child{border-top:0;padding-top:0}
.row:last-child{padding-bottom:0}
.row form{flex:none}
.row>div{min-width:0;overflow-wrap:anywhere}
.row .name{color:var(--text);font-size:1rem;line-height:1.4;font-weight:600;margin:0}
.row p{margin:0;color:var(--muted);font-size:.9375rem}
.small{flex:none;width:auto;white-space:nowrap;min-height:2.25rem;margin:0;padding:.25rem .875rem;font-size:.9375rem}
p:has(>.mark){display:flex;flex-wrap:wrap;gap:.125rem .5rem;align-items:center}
.mark{display:inline-block;padding:0 .5rem;border:1px solid var(--line);border-radius:1rem;color:var(--muted);font-size:.8125rem;font-weight:500}
.rows+.button,.rows+p{margin-top:1rem}
.panel>.button{max-width:26rem}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr));gap:1rem}
.cards a{display:flex;gap:.875rem;height:100%;padding:1.125rem;background:var(--surface);border:1px solid var(--edge);border-radius:calc(var(--radius)*1.5);color:inherit;text-decoration:none}
.cards a:hover{border-color:var(--accent)}
.cards .icon{margin-top:.125rem;color:var(--accent)}
.cards b{display:block}
.cards span{min-width:0}
:lang(ja) .cards bdi{overflow-wrap:break-word;word-break:auto-phrase}
.cards bdi{color:var(--muted);font-size:.9375rem;overflow-wrap:anywhere}
.account fieldset{border:0;margin:0 0 1.25rem;padding:0;min-width:0}
.account fieldset .check{margin:0}
legend{padding:0}
.account select{appearance:auto}
.secret{width:100%;font:1rem/1.5 ui-monospace,Menlo,Consolas,monospace;color:inherit;background:var(--background);border:1px solid var(--line);border-radius:var(--radius);padding:.75rem;resize:vertical;direction:ltr;word-break:break-all}
.account table{width:100%;border-collapse:collapse}
table+.between{margin-top:1rem}
.account :is(th,td){padding:.625rem .75rem .625rem 0;border-bottom:1px solid var(--edge);text-align:start;vertical-align:top;overflow-wrap:anywhere}
.account th{color:var(--muted);font-size:.875rem;font-weight:600}
.account td small{display:block}
.between:empty{display:none}
.skip:focus{position:absolute;z-index:2;inset:.5rem auto auto .5rem;padding:.5rem 1rem;background:var(--surface)}
@media (max-width:48rem){
.account{grid-template:auto auto 1fr/minmax(0,1fr);gap:1rem}
.account nav{overflow-x:auto;margin:0 -1rem;padding:.375rem 1rem;scroll-padding:3rem;scrollbar-width:thin}
.account nav ul{display:flex;gap:.25rem;width:max-content}
.account nav a{padding:.375rem .75rem;font-size:.9375rem;white-space:nowrap}
.account nav [aria-current]{scroll-initial-target:nearest}
.account nav .icon{display:none}
}
@media (max-width:30rem){
body{padding-top:1rem}
.panel{padding:1.25rem 0;border-width:1px 0 0;border-radius:0;margin:0}
.row{flex-direction:column;align-items:stretch}
.row :is(.small,form){width:100%}
.account thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.account :is(table,tbody,tr,td){display:block}
.account tr{padding:.75rem 0;border-bottom:1px solid var(--edge)}
.account td{padding:0;border:0}
.account td+td{color:var(--muted);font-size:.9375rem}
}
@media print{.account nav,.account header a{display:none}.account{display:block}}
`
