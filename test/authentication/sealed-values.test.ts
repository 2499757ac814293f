import { createHash, hkdfSync } from 'node:crypto'
import test from 'ava'
import { CompactEncrypt, CompactSign } from 'jose'
import { SealedValues } from '../../src/authentication/sealed-values.ts'

const secret = createHash('sha256').update('a secret of a test').digest()
const start = new Date('2026-11-30T12:00:00Z')
const purposes = ['request', 'attempt', 'pending'] as const

const sealedAt = (now: () => Date = () => start) => new SealedValues(secret, now)

test('a sealed value → the same value, at any instance', async (t) => {
  const value = { redirectUri: 'https://web.example/cb', state: 'ü "<>' }
  const text = await sealedAt().seal('request', value)
  t.regex(text, /^[\w.-]+$/)
  t.false(text.includes('web.example'))
  t.like(await sealedAt().open('request', text), value)
  t.not(await sealedAt().seal('request', value), text)
})

test('RFC 7516 §5.2: any single bit flipped → nothing', async (t) => {
  const values = sealedAt()
  const text = await values.seal('request', { clientId: 'web', state: 's'.repeat(40) })
  const bytes = Buffer.from(text)
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes)
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    const spelled = flipped.toString('latin1')
    t.is(await values.open('request', spelled), undefined, `bit ${bit}: ${spelled}`)
  }
})

test('sealed for one purpose → nothing for another', async (t) => {
  const values = sealedAt()
  for (const purpose of purposes) {
    const text = await values.seal(purpose, { id: 'x' })
    for (const other of purposes) {
      t.is((await values.open(other, text)) !== undefined, other === purpose, `${purpose} ${other}`)
    }
  }
})

test('sealed with another secret → nothing', async (t) => {
  const text = await new SealedValues(Buffer.alloc(32), () => start).seal('request', { id: 'x' })
  t.is(await sealedAt().open('request', text), undefined)
})

test('a value older than it may be → nothing', async (t) => {
  let now = start
  const values = sealedAt(() => now)
  const text = await values.seal('pending', { id: 'x' })
  now = new Date(start.getTime() + 600_000)
  t.truthy(await values.open('pending', text, 600))
  now = new Date(start.getTime() + 601_000)
  t.is(await values.open('pending', text, 600), undefined)
  t.truthy(await values.open('pending', text))
})

test('cut, padded, empty, huge or foreign texts → nothing', async (t) => {
  const values = sealedAt()
  const text = await values.seal('request', { id: 'x' })
  const parts = text.split('.')
  const wrong = [
    '',
    '.',
    '....',
    text.slice(0, -1),
    text.slice(1),
    `${text}=`,
    `${text}A`,
    `${text}.`,
    ` ${text}`,
    `${text}\n`,
    parts.slice(0, 4).join('.'),
    [...parts.slice(0, 3), '', parts[4]].join('.'),
    [...parts.slice(0, 4), ''].join('.'),
    'a'.repeat(100_000),
    'null',
    '{}',
  ]
  for (const one of wrong) t.is(await values.open('request', one), undefined, one.slice(0, 80))
  t.is(await values.open('request', undefined), undefined)
})

test('RFC 8725 §3.1: the same key with another algorithm → nothing', async (t) => {
  const values = sealedAt()
  const key = new Uint8Array(hkdfSync('sha256', secret, '', 'signet sealed request v1', 32))
  const text = Buffer.from(JSON.stringify({ id: 'x', sealedAt: start.getTime() / 1000 }))
  const own = await new CompactEncrypt(text)
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .encrypt(key)
  t.truthy(await values.open('request', own), 'the test knows the key')
  const others = [
    await new CompactEncrypt(text)
      .setProtectedHeader({ alg: 'dir', enc: 'A128CBC-HS256' })
      .encrypt(key),
    await new CompactEncrypt(text)
      .setProtectedHeader({ alg: 'A256GCMKW', enc: 'A256GCM' })
      .encrypt(key),
    await new CompactEncrypt(text)
      .setProtectedHeader({ alg: 'PBES2-HS256+A128KW', enc: 'A256GCM' })
      .encrypt(key),
    await new CompactSign(text).setProtectedHeader({ alg: 'HS256' }).sign(key),
  ]
  for (const one of others) t.is(await values.open('request', one), undefined, one)
})
