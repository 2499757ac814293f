import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import absolutePath from 'swagger-ui-dist/absolute-path.js'
import type { Middleware } from '../http/context.ts'

/** The files of Swagger UI that the page needs. */
const assets: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
}

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Signet API</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
`

const start = `SwaggerUIBundle({ url: 'openapi.json', dom_id: '#docs', deepLinking: true, docExpansion: 'list' })
`

/** Everything comes from this server. Swagger UI needs inline styles and data: images. */
export const docsPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

/** A page that renders /openapi.json. */
export const docs: Middleware = (ctx) => {
  ctx.type = 'text/html; charset=utf-8'
  ctx.body = page
}

/** Read once and shared by all answers: with a copy for each, slow readers could fill the memory. */
const files = new Map<string, Promise<Buffer>>()

function fileOf(name: string): Promise<Buffer> {
  const cached = files.get(name)
  if (cached) return cached
  const read = readFile(join(absolutePath(), name))
  files.set(name, read)
  read.catch(() => files.delete(name))
  return read
}

/** Serves the files that the page loads. */
export const docsAsset: Middleware = async (ctx) => {
  const { name = '' } = (ctx as unknown as { params: { name?: string } }).params
  if (name === 'start.js') {
    ctx.type = 'text/javascript; charset=utf-8'
    ctx.body = start
    return
  }
  const type = Object.hasOwn(assets, name) ? assets[name] : undefined
  if (type === undefined) return
  ctx.set('cache-control', 'public, max-age=86400')
  ctx.type = type
  ctx.body = await fileOf(name)
}
