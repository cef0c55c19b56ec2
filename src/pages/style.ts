/** The one stylesheet, inline in every page and allowed by its hash, so it works under any path prefix. */
import { defaultVariables, isSafeVariableValue } from './branding.ts'
import type { Branding } from './views.ts'

/** The stylesheet with a branding's variables; a value that could leave its declaration is left out. */
export function stylesheet(branding: Branding): string {
  const variables = { ...defaultVariables, ...branding.variables }
  const light: string[] = []
  const dark: string[] = []
  for (const [name, value] of Object.entries(variables)) {
    if (!/^--[a-z-]+$/.test(name) || !isSafeVariableValue(value)) continue
    if (name.endsWith('-dark')) dark.push(`${name.slice(0, -'-dark'.length)}:${value};`)
    else light.push(`${name}:${value};`)
  }
  return `:root{${light.join('')}}@media(prefers-color-scheme:dark){:root{${dark.join('')}}}${rules}`
}

const rules = `
:root{color-scheme:light dark;--s1:.25rem;--s2:.5rem;--s3:.75rem;--s4:1rem;--s5:1.5rem;--s6:2rem;--s7:3rem;--s8:4rem;
--shadow:0 1px 2px rgb(0 0 0/.05),0 12px 32px -12px rgb(0 0 0/.12)}
@media(prefers-color-scheme:dark){:root{--shadow:0 1px 2px rgb(0 0 0/.4)}}
*,*::before,*::after{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;min-height:100vh;min-height:100dvh;display:flex;flex-direction:column;background:var(--ground);color:var(--ink);
font:400 1rem/1.5 var(--font);-webkit-font-smoothing:antialiased;overflow-wrap:anywhere}
h1,h2,h3,p,ul,dl,dd,figure{margin:0;padding:0}
ul{list-style:none}
h1{font-size:1.5rem;line-height:1.25;font-weight:650;letter-spacing:-.017em;text-wrap:balance}
h2{font-size:1.0625rem;line-height:1.35;font-weight:620;letter-spacing:-.006em}
h3,.label{font-size:.875rem;line-height:1.4;font-weight:600}
a{color:inherit;text-decoration-thickness:1px;text-underline-offset:.2em;text-decoration-color:var(--edge)}
a:hover{text-decoration-color:currentColor;text-decoration-thickness:2px}
svg{display:block;flex:none}
time{white-space:nowrap}
code{font:.8125rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
:focus-visible{outline:2px solid var(--ink);outline-offset:2px;border-radius:4px}
.vh{position:absolute;width:1px;height:1px;margin:-1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.skip{position:absolute;inset-block-start:var(--s2);inset-inline-start:var(--s2);z-index:1;padding:var(--s2) var(--s4);
background:var(--ink);color:var(--surface);border-radius:8px;transform:translateY(-200%)}
.skip:focus{transform:none}
.muted{color:var(--muted)}
.small{font-size:.875rem}

.top{display:flex;align-items:center;gap:var(--s4);padding:var(--s4) var(--s5);min-height:4rem}
.brand{display:inline-flex;align-items:center;gap:.625rem;min-height:24px;font-weight:650;letter-spacing:-.01em;text-decoration:none}
.brand img{display:block;height:1.75rem;width:auto;max-width:10rem}
.brand svg{color:var(--accent)}
.wide .top{background:var(--surface);border-bottom:1px solid var(--line);flex-wrap:wrap;row-gap:0;
padding-inline:max(var(--s5),calc((100% - 46rem)/2))}
.top nav{display:flex;gap:var(--s1);margin-inline-start:auto}
.top nav a{display:inline-flex;align-items:center;min-height:2.25rem;padding:0 var(--s3);border-radius:8px;font-size:.9375rem;
color:var(--muted);text-decoration:none;white-space:nowrap}
.top nav a:hover{color:var(--ink);background:var(--sunken)}
.top nav a[aria-current]{color:var(--ink);font-weight:600;background:var(--sunken)}

main:focus{outline:none}
main{width:100%;margin:0 auto;padding:var(--s5) var(--s4) var(--s8)}
.narrow .top{justify-content:center;padding-block:clamp(var(--s5),9vh,var(--s8)) 0}
.narrow main{max-width:29.5rem}
.wide main{max-width:48rem;padding-block-start:var(--s7)}
.card{background:var(--surface);border:1px solid var(--line);border-radius:var(--radius);box-shadow:var(--shadow)}
.narrow .card{padding:var(--s6)}
.head{display:grid;gap:var(--s2);margin-block-end:var(--s5)}
.narrow main>.head{margin-block-start:var(--s4);text-align:center;justify-items:center}
.wide .head{margin-block-end:var(--s6)}
.wide h1{font-size:1.75rem}
.head p{color:var(--muted);max-width:60ch;text-wrap:pretty}
.after{margin-block-start:var(--s5);text-align:center;font-size:.9375rem;color:var(--muted)}
.after a{color:var(--ink);font-weight:550}
.after a,.links a{display:inline-block;padding-block:2px;min-height:24px}

form{display:grid;gap:var(--s4)}
.field{display:grid;gap:.375rem}
.field label{font-size:.9375rem;font-weight:580}
.field input,.field select{width:100%;min-height:2.875rem;padding:.5rem .8125rem;border:1px solid var(--edge);border-radius:10px;
background:var(--surface);color:var(--ink);font:inherit}
.field input:focus-visible,.field select:focus-visible{outline:2px solid var(--ink);outline-offset:1px;border-radius:10px}
.field input[aria-invalid=true]{border-color:var(--danger);box-shadow:inset 0 0 0 1px var(--danger)}
.field .hint{font-size:.875rem;color:var(--muted)}
button,.button{display:inline-flex;align-items:center;justify-content:center;gap:var(--s2);min-height:2.875rem;padding:.5rem 1.125rem;
border:1px solid transparent;border-radius:10px;font:inherit;font-weight:600;line-height:1.25;text-decoration:none;cursor:pointer;
transition:background-color .12s,border-color .12s}
button:focus-visible,.button:focus-visible{border-radius:10px}
.primary{background:var(--accent);color:var(--on-accent)}
.primary:hover{background:color-mix(in srgb,var(--accent) 90%,var(--ink))}
.plain{background:var(--surface);color:var(--ink);border-color:var(--edge)}
.plain:hover{background:var(--sunken);border-color:var(--ink)}
.ending{background:transparent;color:var(--danger);border-color:color-mix(in srgb,var(--danger) 45%,var(--surface));
min-height:2.375rem;padding-block:.25rem;font-size:.9375rem}
.ending:hover{background:var(--danger-ground);border-color:var(--danger)}
form>.primary{margin-block-start:var(--s2)}

.note{display:grid;grid-template-columns:auto 1fr;gap:.125rem .625rem;padding:.75rem .875rem;border-radius:10px;font-size:.9375rem;line-height:1.45}
.note svg{margin-block-start:.0625rem}
.note>:not(svg){grid-column:2}
.note.danger{background:var(--danger-ground);color:var(--danger)}
.note.caution{background:var(--caution-ground);color:var(--caution)}
.note.success{background:var(--success-ground);color:var(--success)}
.narrow .card>.note,.wide main>.note,section>.note{margin-block-end:var(--s5)}
.badge{display:inline-flex;align-items:center;gap:.3125rem;padding:.125rem .5625rem;border-radius:99px;font-size:.8125rem;font-weight:600;
line-height:1.5;white-space:nowrap;background:var(--caution-ground)}
.badge,.head .badge{color:var(--caution)}
.badge.calm{background:var(--success-ground);color:var(--success)}

.face{position:relative;display:grid;place-items:center;width:2.75rem;height:2.75rem;flex:none;border-radius:11px;overflow:hidden;
background:var(--sunken);border:1px solid var(--line);color:var(--muted);font-weight:650;line-height:1}
.face img{position:absolute;inset:0;width:100%;height:100%;object-fit:cover;background:#fff}
.face.round{border-radius:50%}
.face.large{width:3.5rem;height:3.5rem;border-radius:14px;font-size:1.25rem}
.face.own{color:var(--on-accent);background:var(--accent);border-color:transparent}
.face.own img{object-fit:contain;padding:.375rem}
.face.own svg{width:1.875rem;height:1.875rem}
.meeting{display:flex;align-items:center;justify-content:center;gap:var(--s3);margin-block-end:var(--s5);color:var(--edge)}
.consent .head{text-align:center;justify-items:center}
.consent h1{font-size:1.375rem}
.person{display:grid;grid-template-columns:auto 1fr auto;align-items:center;gap:0 var(--s3);padding:.625rem .75rem;border:1px solid var(--line);
border-radius:12px;background:var(--sunken);font-size:.9375rem;line-height:1.35}
.person .face{width:2.25rem;height:2.25rem;font-size:.9375rem;background:var(--surface)}
.person a{font-size:.875rem;white-space:nowrap;display:inline-flex;align-items:center;min-height:24px;text-align:end}
.block{display:grid;gap:.625rem;margin-block-start:var(--s5)}
.block h2{font-size:.9375rem}
.permissions{display:grid;gap:.625rem}
.permissions li{display:grid;grid-template-columns:auto 1fr;gap:0 .625rem;line-height:1.45}
.permissions svg{color:var(--accent);margin-block-start:.1875rem}
.permissions code{grid-column:2;color:var(--muted);font-size:.78125rem}
.permissions.quiet{gap:.375rem;font-size:.9375rem;color:var(--muted)}
.permissions.quiet svg{color:var(--edge)}
.narrow .consent>.note{margin-block:var(--s5) 0}
.narrow .consent>.note+.note{margin-block-start:var(--s3)}
.choice{display:grid;grid-template-columns:1fr 1fr;gap:var(--s3);margin-block-start:var(--s6)}
.consent .foot{display:grid;gap:var(--s1);margin-block-start:var(--s4);text-align:center;font-size:.875rem;color:var(--muted)}
.foot p{text-wrap:balance}
.foot strong{color:var(--ink);font-weight:600}
.usercode,.field input.usercode{font:600 1.375rem/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;letter-spacing:.12em}
.field input.usercode{text-align:center;text-transform:uppercase;min-height:3.5rem}
.match{display:grid;justify-items:center;gap:var(--s1);margin-block-start:var(--s4);padding:var(--s4);border:1px solid var(--line);border-radius:12px;text-align:center}
.match .usercode{font-size:1.75rem}
.links{display:flex;flex-wrap:wrap;justify-content:center;gap:var(--s1) var(--s4);margin-block-start:var(--s5);font-size:.875rem;color:var(--muted)}

.people{display:grid;gap:var(--s2)}
.people button{width:100%;justify-content:start;text-align:start;gap:var(--s3);padding:.625rem .75rem;font-weight:500}
.people button>span:last-child{display:grid}
.people code{color:var(--muted)}
.people .face{width:2.25rem;height:2.25rem;font-size:.9375rem}

.apps{display:grid;gap:var(--s4)}
.app{padding:var(--s5)}
.app header{display:grid;grid-template-columns:auto 1fr auto;align-items:center;gap:0 var(--s4)}
.app header p{font-size:.875rem;line-height:1.4}
.app header p a{display:inline-block;min-height:24px;line-height:24px}
.facts{display:flex;flex-wrap:wrap;gap:var(--s3) var(--s7);margin-block:var(--s5);
padding-block:var(--s4);border-block:1px solid var(--line)}
.facts dt{font-size:.8125rem;color:var(--muted)}
.facts dd{font-size:.9375rem;font-variant-numeric:tabular-nums}
.app .permissions{margin-block-start:var(--s2)}
.ending-note{display:flex;gap:.625rem;margin-block-start:var(--s5);font-size:.875rem;color:var(--muted);max-width:68ch}
.ending-note svg{margin-block-start:.125rem}
.empty{display:grid;justify-items:center;gap:var(--s2);padding:var(--s8) var(--s5);text-align:center}
.empty svg{color:var(--edge);margin-block-end:var(--s2)}
.empty p{color:var(--muted);max-width:44ch}

.sections{display:grid;gap:var(--s5)}
.sections section{padding:var(--s5)}
.sections h2{margin-block-end:var(--s4)}
.sections form{max-width:24rem;justify-items:start}
.sections .field{width:100%}
.self{display:flex;align-items:center;gap:var(--s4);flex-wrap:wrap}
.self>div{flex:1;min-width:10rem}
.self h2{margin:0}
.rows{display:grid}
.rows>li{display:grid;grid-template-columns:auto 1fr;align-items:center;gap:0 var(--s3);padding-block:var(--s3);border-block-start:1px solid var(--line)}
.rows>li:first-child{border:0;padding-block-start:0}
.rows>li:last-child{padding-block-end:0}
.rows svg{color:var(--muted)}
.rows p:first-child{display:flex;flex-wrap:wrap;align-items:center;gap:var(--s1) var(--s2)}
.go{display:grid;grid-template-columns:auto 1fr auto;align-items:center;gap:0 var(--s4);padding:var(--s4) var(--s5);text-decoration:none}
.narrow .go{padding:var(--s4) 1.25rem}
.go:hover{border-color:var(--edge)}
.go:hover strong{text-decoration:underline;text-underline-offset:.2em}
.go:focus-visible{border-radius:var(--radius)}
.go strong{font-weight:620}
.go svg{color:var(--muted)}
[dir=rtl] .go svg:last-child{transform:scaleX(-1)}
.details{display:grid;grid-template-columns:auto 1fr;gap:var(--s1) var(--s4);margin-block-start:var(--s5);padding-block-start:var(--s4);
border-block-start:1px solid var(--line);font-size:.875rem}
.details dt{color:var(--muted)}
.mark{display:grid;place-items:center;width:3rem;height:3rem;margin-block-end:var(--s4);border-radius:50%;background:var(--sunken);color:var(--muted)}
.mark.danger{background:var(--danger-ground);color:var(--danger)}
.mark.success{background:var(--success-ground);color:var(--success)}
.narrow .card>.button{width:100%;margin-block-start:var(--s2)}

@media(max-width:34rem){
time{white-space:normal}
.narrow main{padding-inline:var(--s3)}
.narrow .card:not(.go){padding:var(--s5) 1.25rem}
.wide main{padding-block-start:var(--s5)}
.top{padding-inline:var(--s4)}
.wide .top{padding-block:var(--s4) var(--s2);row-gap:var(--s1)}
.wide .top nav{margin-inline-start:calc(-1*var(--s3));width:100%}
.sections section,.app{padding:1.25rem}
.app header{grid-template-columns:auto 1fr}
.app header form{grid-column:1/-1;margin-block-start:var(--s4)}
.app header .ending{width:100%}
.facts{display:grid;grid-template-columns:minmax(0,1fr);gap:var(--s2)}
.facts>div{display:grid;grid-template-columns:6rem minmax(0,1fr);align-items:baseline}
.person{grid-template-columns:auto 1fr}
.person a{grid-column:2;text-align:start}
.empty{padding-block:var(--s7)}
}
@media(forced-colors:active){.face,.mark,.note,.badge{border:1px solid}}
@media(prefers-reduced-motion:reduce){*{transition:none!important}}
`
