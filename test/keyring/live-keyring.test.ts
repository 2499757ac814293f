import test from 'ava'
import { decodeProtectedHeader } from 'jose'
import { encodePayload, LiveKeyring } from '../../src/keyring/live-keyring.ts'
import type { StoredKey } from '../../src/keyring/signing-keys.ts'
import { mostKeyringAgeSeconds } from '../../src/keyring/timing.ts'
import { storedKey, stubSigningKeys } from './stub-keys.ts'

const now = () => new Date('2026-01-01T00:00:00Z')
const payload = encodePayload('{}')

/** A keyring whose table is read by a function of the test. */
async function openKeyring() {
  const table = { read: async (): Promise<StoredKey[]> => [storedKey('one', 1)] }
  const keyring = new LiveKeyring(
    stubSigningKeys(() => table.read()),
    now,
  )
  await keyring.reread()
  return { keyring, table }
}

/** Lets the keyring grow stale: its age is measured by the monotonic clock, which tests cannot set. */
const growStale = () =>
  new Promise((resolve) => setTimeout(resolve, (mostKeyringAgeSeconds + 0.1) * 1000))

test('the header names the algorithm, the type and the key, and nothing else', async (t) => {
  const { keyring } = await openKeyring()
  for (const typ of ['at+jwt', 'logout+jwt', 'at+jwt']) {
    t.deepEqual(decodeProtectedHeader(await keyring.sign(typ, { sub: 'x' })), {
      alg: 'RS256',
      typ,
      kid: 'one',
    })
  }
})

test('the keys cannot be read for too long → no token is signed, lists still are', async (t) => {
  const { keyring, table } = await openKeyring()
  table.read = () => Promise.reject(new Error('PostgreSQL is away'))
  await growStale()
  await t.throwsAsync(keyring.sign('at+jwt', {}), { message: 'PostgreSQL is away' })
  const list = await keyring.signEvenIfStale('revocations+jwt', payload)
  t.like(decodeProtectedHeader(list), { kid: 'one', typ: 'revocations+jwt' })
})

test('a key is revoked while a list is signed → the list has the signature of its successor', async (t) => {
  const { keyring, table } = await openKeyring()
  table.read = async () => [storedKey('one', 1, now()), storedKey('two', 2)]
  const signing = keyring.signEvenIfStale('revocations+jwt', payload)
  await keyring.reread()
  t.is(decodeProtectedHeader(await signing).kid, 'two')
})
