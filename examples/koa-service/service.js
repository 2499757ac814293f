import cors from '@koa/cors'
import Router from '@koa/router'
import Koa from 'koa'
import { createVerifier } from 'signet/verifier'
import { signet } from 'signet/verifier/koa'

const { ISSUER: issuer = 'http://127.0.0.1:3000', PORT: port = '4000' } = process.env
// The name of this service. Tokens of the demo client are for the issuer itself. Your own service needs
// its own name, with which its clients are created: --audience https://reports.example
const audience = process.env.AUDIENCE ?? issuer

const log = (what) => console.log(JSON.stringify(what))
const verifier = createVerifier({ issuer, audience, onEvent: log })
const { requireUser, optionalUser, requireScope, requireRole } = signet(verifier, {
  onRefusal: ({ status, reason }) => log({ type: 'refused', status, reason }),
})

const router = new Router()
router.get('/', requireUser, (ctx) => {
  const { sub, client_id, scope } = ctx.state.user
  ctx.body = { sub, client_id, scope }
})
router.get('/hello', optionalUser, (ctx) => {
  ctx.body = { hello: ctx.state.user?.sub ?? 'stranger' }
})
router.get('/reports', requireScope('read'), (ctx) => {
  ctx.body = { reports: [] }
})
router.get('/audit', requireRole('admin'), (ctx) => {
  ctx.body = { readBy: ctx.state.user.sub }
})
router.get('/health', (ctx) => {
  ctx.body = verifier.status
})

const app = new Koa()
// Scripts of this origin may call the service: the example single-page app.
app.use(cors({ origin: process.env.APP_ORIGIN ?? 'http://127.0.0.1:4002' }))
app.use(router.routes())
const server = app.listen(port, '127.0.0.1', () => log({ type: 'ready', port, issuer, audience }))

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close()
    verifier.close()
  })
}
