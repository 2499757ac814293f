import { availableParallelism } from 'node:os'
import { argon2id, hash, verify } from 'argon2'

/** argon2id checks a second on all cores, with the cost that the servers have. */
const made = hash('correct horse battery staple', {
  ...{ type: argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 },
})

process.on('message', async ({ seconds }) => {
  const known = await made
  const endsAt = performance.now() + seconds * 1000
  let checked = 0
  const checking = async () => {
    while (performance.now() < endsAt) {
      await verify(known, 'correct horse battery staple')
      if (performance.now() <= endsAt) checked += 1
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, checking))
  process.send({ result: { perSecond: checked / seconds } })
})
process.on('disconnect', () => process.exit())
