import Router from '@koa/router'
import Koa from 'koa'

/** Bare Koa and its router with the very bytes and headers that the server answers at one path. */
process.once('message', ({ path, body, headers }) => {
  const router = new Router()
  router.get(path, (ctx) => {
    ctx.set(headers)
    if (ctx.get('if-none-match') === headers.etag) ctx.status = 304
    else ctx.body = body
  })
  const app = new Koa()
  app.use(router.routes())
  const server = app.listen(0, '127.0.0.1', () =>
    process.send({ result: { port: server.address().port } }),
  )
})
process.on('disconnect', () => process.exit())
