import test from 'ava'
import { Bulkhead } from '../../src/passwords/bulkhead.ts'
import { noPassword, Passwords } from '../../src/passwords/passwords.ts'
import { bringIn } from '../support/people/people.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

/**
 * Made with Python: hashlib for PBKDF2 and scrypt, crypt for bcrypt, cryptography for argon2; put
 * together as Django and passlib do. The vectors of crypt_blowfish have their own passwords.
 */
const password = 'the old password'
const formats: Record<string, string> = {
  'bcrypt $2a$': '$2a$05$abcdefghijklmnopqrstuu5fSCHhsfzfFnNvbUX2feibCYCQ6YPSq',
  'bcrypt $2b$': '$2b$05$abcdefghijklmnopqrstuu5fSCHhsfzfFnNvbUX2feibCYCQ6YPSq',
  'bcrypt $2y$': '$2y$05$abcdefghijklmnopqrstuu5fSCHhsfzfFnNvbUX2feibCYCQ6YPSq',
  'Django bcrypt': 'bcrypt$$2b$05$abcdefghijklmnopqrstuu5fSCHhsfzfFnNvbUX2feibCYCQ6YPSq',
  'Django bcrypt_sha256':
    'bcrypt_sha256$$2b$05$abcdefghijklmnopqrstuusEl/yxkRbqLPBBMWAH8PTP6.uZUCQB.',
  'passlib scrypt':
    '$scrypt$ln=10,r=8,p=1$8PHy8/T19vf4+fr7/P3+/w$4F4zzppsdFjx5bFSemhColGkdwgwwNfMjjx8d2W/1ps',
  'Django scrypt':
    'scrypt$1024$NaClNaClNaCl12$8$1$b7gYIZpppSS5dyER2VbaxrnYYTOkB1O9xI77G57v1oqhDmUywXEjXOGIvFbHIn/Ey+nkKNmNAuSt1jq2YXEoIA==',
  'Node scrypt':
    'scrypt:1024:8:1$00112233445566778899aabbccddeeff$f198f1b68bf47ed1458f7b20ddf22c31bce73546feaaa24055d2da71c59ab3d4a5c9d57a126fe3f759e2fdcc231c22b6fd4fe0508526d4a405fd9982d974aef1',
  'Django pbkdf2_sha256':
    'pbkdf2_sha256$1000$NaClNaClNaCl12$8YBC8KBZ5s/xtToz1Kw8kE9s6Qb90KnTcRZi27Hmefs=',
  'Django pbkdf2_sha1': 'pbkdf2_sha1$1000$NaClNaClNaCl12$ZlnmaiHZluxNwScsBvrIGZvWq80=',
  'passlib pbkdf2-sha256':
    '$pbkdf2-sha256$1000$8PHy8/T19vf4.fr7/P3./w$bF5XV6na/cF5MuohyOuiPrgLGk4vJQ90wzs1W1ksQBc',
  'passlib pbkdf2-sha512':
    '$pbkdf2-sha512$1000$8PHy8/T19vf4.fr7/P3./w$SCCp23Git0cKv7gs8u6Rdc.pxmw2NGuzwnKF6ZIQODkCdYegjDe6H3tbG.LVRisrPzcx3fcXCAkiUBTdFcyR6A',
  argon2id:
    '$argon2id$v=19$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$1ouUSjfs83BSvbWwrsyRFUbEKFExMFRWyKZ0sAmIXoI',
  argon2i:
    '$argon2i$v=19$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$ku8DILDrPkz3qHPqnorzEc7mdZz739fX4HRt57YbUOE',
  // With the cost of this server, but not in the form that it writes.
  'argon2i of the same cost':
    '$argon2i$v=19$m=8192,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$z3UtVrIIX7pHBgySH8SECsdkqFiaP+z7eI+LXky9Flg',
  'Django argon2 of the same cost':
    'argon2$argon2id$v=19$m=8192,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$w2uyjpQ408L2CpOARl7GjzLsv5r0z6KguHVcZ+GIKEE',
  argon2d:
    '$argon2d$v=19$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$x+I+U1deK0c1FGsx+w1jhS2fMRmt+K1m32wWNPRvQBY',
  'Django argon2':
    'argon2$argon2id$v=19$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$1ouUSjfs83BSvbWwrsyRFUbEKFExMFRWyKZ0sAmIXoI',
}

const hashOf = async ({ db }: TestServer, username: string): Promise<string> =>
  (await db('users').where({ username }).first()).password_hash

test('an imported person signs in with the old password → the hash becomes argon2id', async (t) => {
  const server = await startServer(t)
  const people = Object.entries(formats).map(([format, password_hash]) => ({
    username: format.replaceAll(' ', '-'),
    password_hash,
  }))
  t.deepEqual(await bringIn(server, people), [])
  for (const { username, password_hash } of people) {
    const wrong = await server.signIn({ username, password: 'the old passwors' })
    t.like(wrong, { status: 400, body: { error: 'invalid_grant' } }, username)
    t.is(await hashOf(server, username), password_hash)

    t.is((await server.signIn({ username, password })).status, 200, username)
    const renewed = await hashOf(server, username)
    t.regex(renewed, /^\$argon2id\$v=19\$m=8192,t=1,p=1\$/)
    t.is((await server.signIn({ username, password })).status, 200, username)
    t.is(await hashOf(server, username), renewed, 'once')
    t.is((await server.signIn({ username, password: 'the old passwors' })).status, 400, username)
  }
})

const published = [
  ['U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  ['U*U*', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK'],
  ['U*U*U', '$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a'],
  [
    '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored',
    '$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui',
  ],
] as const

test('published vectors of bcrypt → verified, also passwords that are now too short', async (t) => {
  const server = await startServer(t)
  const people = published.map(([, hash], i) => ({ username: `p${i}`, password_hash: hash }))
  t.deepEqual(await bringIn(server, people), [])
  for (const [i, [password]] of published.entries()) {
    t.is((await server.signIn({ username: `p${i}`, password })).status, 200, password)
    t.regex(await hashOf(server, `p${i}`), /^\$argon2id\$/)
  }
})

test('ASVS 6.2.8: a bcrypt hash covers 72 bytes → the argon2id hash that replaces it covers all', async (t) => {
  const server = await startServer(t)
  const [long, password_hash] = published[3]
  await bringIn(server, [{ username: 'bo', password_hash }])
  t.is((await server.signIn({ username: 'bo', password: long })).status, 200)
  t.is((await server.signIn({ username: 'bo', password: long.slice(0, 72) })).status, 400)
  t.is((await server.signIn({ username: 'bo', password: long })).status, 200)
})

test('ASVS 6.2.8: a password with a NUL → does not match the repetition of bcrypt', async (t) => {
  const bulkhead = new Bulkhead({ concurrency: 2, queueSeconds: 60 })
  const passwords = new Passwords(bulkhead, { memoryKib: 8192, timeCost: 1 })
  const [, hash] = published[0]
  t.true(await passwords.matches('U*U', hash))
  for (const other of ['U*U\0U*U', 'U*U\0', 'U*U\0x']) t.false(await passwords.matches(other, hash))
})

/** It ends in a ligature, which NFKC splits; Python hashed the text as typed. */
const typed = 'fünf ﬁsche schwimmen'
const ofTyped = [
  ['bcrypt', '$2b$05$abcdefghijklmnopqrstuu1xYiPmXZY5dI92GGdi7QM4RW58usPcO'],
  [
    'argon2id',
    '$argon2id$v=19$m=8192,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$vHjQY+AEMC/2kgH96sKDiMDba/3loNCKeE92J90kjI8',
  ],
] as const

test('a hash of the password as typed, not normalized → the person signs in', async (t) => {
  const server = await startServer(t)
  t.not(typed.normalize('NFKC'), typed)
  const people = ofTyped.map(([username, password_hash]) => ({ username, password_hash }))
  t.deepEqual(await bringIn(server, people), [])
  for (const { username } of people) {
    t.is((await server.signIn({ username, password: typed })).status, 200)
    t.is((await server.signIn({ username, password: typed })).status, 200)
  }
  // bcrypt became argon2id of the NFKC form, which another keyboard may send.
  const normal = typed.normalize('NFKC')
  t.is((await server.signIn({ username: 'bcrypt', password: normal })).status, 200)
})

const key32 = Buffer.alloc(32, 7).toString('base64').replace('=', '')
const tooMuch: Record<string, string> = {
  'bcrypt for minutes': '$2b$31$abcdefghijklmnopqrstuu5fSCHhsfzfFnNvbUX2feibCYCQ6YPSq',
  'bcrypt of a broken kind': '$2x$05$abcdefghijklmnopqrstuu5fSCHhsfzfFnNvbUX2feibCYCQ6YPSq',
  'scrypt of 4 GiB': `$scrypt$ln=22,r=8,p=1$c2FsdHNhbHQ$${key32}`,
  'scrypt of 512 MiB': `$scrypt$ln=18,r=16,p=1$c2FsdHNhbHQ$${key32}`,
  'scrypt of many lanes': `$scrypt$ln=14,r=8,p=4096$c2FsdHNhbHQ$${key32}`,
  'scrypt whose N is no power of two': `scrypt$1000$salt$8$1$${key32}=`,
  'scrypt with a short key': '$scrypt$ln=10,r=8,p=1$c2FsdHNhbHQ$AAAA',
  'PBKDF2 of a billion rounds': `pbkdf2_sha256$999999999$salt$${key32}=`,
  'PBKDF2 with a short key': 'pbkdf2_sha256$1000$salt$AAAA',
  'argon2 of 4 GiB': `$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$${key32}`,
  'argon2 of a thousand passes': `$argon2id$v=19$m=65536,t=1000,p=1$c2FsdHNhbHQ$${key32}`,
  'MD5, as Django had it': 'md5$salt$0123456789abcdef0123456789abcdef',
  'the password itself': password,
}

test('ASVS 15.2.2: a hash that would take minutes → refused by import and sign-in', async (t) => {
  const server = await startServer(t)
  for (const [what, password_hash] of Object.entries(tooMuch)) {
    const username = what.replaceAll(' ', '-').replaceAll(',', '')
    const [refused] = await bringIn(server, [{ username, password_hash }])
    t.is(refused?.line, 1, what)
    t.false(refused?.reason.includes(password_hash), 'a report is no place for a hash')
    t.is((await server.db('users').where({ username })).length, 0, what)

    t.deepEqual(await bringIn(server, [{ username }]), [])
    await server.db('users').where({ username }).update({ password_hash })
    t.is((await server.signIn({ username, password })).status, 400, what)
    t.is(await hashOf(server, username), password_hash)
  }
})

test('a person without a password → no password signs in', async (t) => {
  const server = await startServer(t)
  const unusable = '!Zn4pVYIEbHkYpTiHtlZ5YOeRSkzJ1ZxIBzVQHQ3x'
  await bringIn(server, [{ username: 'bo' }, { username: 'cy', password_hash: unusable }])
  for (const username of ['bo', 'cy']) {
    t.is(await hashOf(server, username), noPassword)
    for (const presented of [noPassword, unusable, ' ', '\0', 'x'.repeat(600)]) {
      t.is((await server.signIn({ username, password: presented })).status, 400, presented)
    }
  }
})
