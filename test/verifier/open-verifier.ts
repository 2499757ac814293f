import { createVerifier } from '../../src/verifier/verifier.ts'

/** A program that verifies one token and forgets to close its verifier. */
const [, , issuer = '', audience = '', token = ''] = process.argv
const verifier = createVerifier({ issuer, audience, timeoutSeconds: 600 })
const { sub } = await verifier.verify(token)
// Until the poll hangs: so long there is something to do.
process.stdin.once('data', () => process.stdin.destroy())
console.log(sub)
