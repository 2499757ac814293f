import { generateKeyPairSync, sign } from 'node:crypto'

/** RSA-2048 signatures a second on all cores: what a token costs before anything else does. */
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const claims = Buffer.alloc(500, 'x')
const atOnce = 64

process.on('message', async ({ seconds }) => {
  const endsAt = performance.now() + seconds * 1000
  let made = 0
  const signing = (done) =>
    sign('sha256', claims, privateKey, (error) => {
      if (error) throw error
      if (performance.now() >= endsAt) return done()
      made += 1
      signing(done)
    })
  await Promise.all(Array.from({ length: atOnce }, () => new Promise(signing)))
  process.send({ result: { perSecond: made / seconds } })
})
process.on('disconnect', () => process.exit())
