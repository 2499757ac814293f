import { Redis } from 'ioredis'
import Koa from 'koa'

/** Bare Koa with one Redis round trip, and an answer as long as an introspection's. */
process.once('message', ({ redisUrl, answer }) => {
  const redis = new Redis(redisUrl)
  const app = new Koa()
  app.use(async (ctx) => {
    const found = await redis.exists('revoked:jti:none')
    ctx.body = found ? { active: false } : answer
  })
  const server = app.listen(0, '127.0.0.1', () =>
    process.send({ result: { port: server.address().port } }),
  )
})
process.on('disconnect', () => process.exit())
