import { ourVerifier } from './verify-issuer.ts'

/** Forked by verify-memory.ts: answers how many bytes so many revocations take, and ends. */
const revocations = Number(process.argv[2])

const held = async (entries: number) => {
  const verifier = ourVerifier(0, entries)
  await verifier.ready()
  if (verifier.status.entries !== entries) throw new Error('entries are missing')
  // Remains of the answers are freed in the next turns of the event loop.
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    globalThis.gc?.()
  }
  const { heapUsed, arrayBuffers, external } = process.memoryUsage()
  return { verifier, bytes: heapUsed + Math.max(arrayBuffers, external) }
}
const before = await held(0)
const after = await held(revocations)
process.send?.(after.bytes - before.bytes)
await Promise.all([before.verifier.close(), after.verifier.close()])
process.disconnect()
