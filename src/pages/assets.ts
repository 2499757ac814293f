import type { Context, Middleware } from '../http/context.ts'
import { readableOn, textOn } from './contrast.ts'
import { type ColorPair, colors, customProperties, stylesheet } from './stylesheet.ts'
import { type Theme, type ThemeFile, themeOf } from './theme/theme.ts'

/** Submits the form of an answer to a client. */
const submit = 'document.forms[0].submit()\n'

/** Everything works without it: shows passwords and the current entry of the navigation, closes the list of languages. */
const pages = `for (const button of document.querySelectorAll('.reveal')) {
  const input = document.getElementById(button.getAttribute('aria-controls'))
  button.hidden = false
  button.addEventListener('click', () => {
    const shown = input.type === 'password'
    input.type = shown ? 'text' : 'password'
    button.setAttribute('aria-pressed', String(shown))
    input.focus()
  })
  input.form.addEventListener('submit', () => { input.type = 'password' })
}
const current = document.querySelector('nav [aria-current]')
if (current) current.scrollIntoView({ block: 'nearest', inline: 'nearest' })
const menu = document.querySelector('.languages')
if (menu) {
  document.addEventListener('click', (event) => {
    if (!menu.contains(event.target)) menu.open = false
  })
  menu.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return
    menu.open = false
    menu.querySelector('summary').focus()
  })
}
`

const ring = (size: number, color: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}" viewBox="0 0 40 40"><rect width="40" height="40" rx="11" fill="${color}"/><circle cx="20" cy="20" r="9" fill="none" stroke="#fff" stroke-width="4.5"/><circle cx="20" cy="20" r="2.5" fill="#fff"/></svg>`

const svgType = 'image/svg+xml'

/** Images are shown by `<img>` alone; opened as a page, one runs and loads nothing. */
const imagePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"

export const serve =
  (type: string, body: string): Middleware =>
  (ctx) => {
    ctx.set('cache-control', 'public, max-age=3600')
    send(ctx, type, body)
  }

function send(ctx: Context, type: string, body: string | Buffer): void {
  if (type === svgType) ctx.set('content-security-policy', imagePolicy)
  ctx.type = type
  ctx.body = body
}

/** The files that pages load, by their name in `assets/`. */
export const assets: Readonly<Record<string, Middleware>> = {
  'pages.css': serve('text/css; charset=utf-8', stylesheet),
  'pages.js': serve('text/javascript; charset=utf-8', pages),
  'submit.js': serve('text/javascript; charset=utf-8', submit),
  'favicon.svg': serve(svgType, ring(32, colors.accent[0])),
  'logo.svg': serve(svgType, ring(40, colors.accent[0])),
}

/** Serves a file of a theme. Its address says its content, so a browser asks for it once. */
export const serveThemeFile =
  ({ type, body, version }: ThemeFile): Middleware =>
  (ctx) => {
    const asked = new URLSearchParams(ctx.querystring).get('v') ?? version
    // While a new theme is rolled out, another instance may have written the address.
    const isOther = asked !== version
    ctx.set('cache-control', isOther ? 'no-store' : 'public, max-age=31536000, immutable')
    send(ctx, type, body)
  }

/** The logo of a client: found among those that were read at the start, and in no folder. */
export const clientLogo =
  ({ clientLogos }: Theme): Middleware =>
  async (ctx, next) => {
    const [, id = ''] = /^(.+)\.svg$/.exec(ctx.params?.file ?? '') ?? []
    const file = clientLogos.get(id)
    await (file ? serveThemeFile(file)(ctx, next) : next())
  }

/** The accent color of a client, as a stylesheet of its own: no style is inline. */
export const accent: Middleware = async (ctx, next) => {
  const { palette } = themeOf(ctx)
  const [, color] = /^([0-9a-f]{6})\.css$/i.exec(ctx.params?.file ?? '') ?? []
  if (color === undefined) return void (await next())
  ctx.set('cache-control', 'public, max-age=86400')
  ctx.type = 'text/css; charset=utf-8'
  ctx.body = accentStyle(`#${color}`, palette.surface)
}

/** As a client chose it, or as much darker and lighter as its links need to be read in both schemes. */
export function accentStyle(color: string, surfaces: ColorPair = colors.surface): string {
  const light = readableOn(color, surfaces[0])
  const dark = readableOn(color, surfaces[1])
  return customProperties({
    accent: [light, dark],
    'on-accent': [textOn(light), textOn(dark)],
  })
}
