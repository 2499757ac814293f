import { gzipSync } from 'node:zlib'
import test from 'ava'
import { app } from '../../tools/fixtures.ts'
import { basic } from '../../tools/http-client.ts'
import { type Expected, isOAuthError } from '../support/http/oauth-error.ts'
import { startServer } from '../support/server/start-server.ts'

const endpoints = [
  { path: '/oauth/token', form: 'grant_type=client_credentials', needs: 'grant_type' },
  { path: '/oauth/revoke', form: 'token=x', needs: 'token' },
  { path: '/oauth/introspect', form: 'token=x', needs: 'token' },
]

const formType = 'application/x-www-form-urlencoded'

interface Case {
  readonly name: string
  readonly type?: string | null
  readonly headers?: Record<string, string>
  readonly body: (form: string) => string | Uint8Array
  readonly query?: string
  readonly expected?: Expected
}

const add = (more: string) => (form: string) => `${form}&${more}`
const bytes = (...numbers: number[]) => Buffer.from(numbers)
const joined = (more: Buffer) => (form: string) => Buffer.concat([Buffer.from(`${form}&`), more])

const cases: Case[] = [
  { name: 'a parameter twice', body: (form) => `${form}&${form}` },
  { name: 'a parameter twice, spelled differently', body: (form) => `${form}&${escaped(form)}` },
  { name: 'an unknown parameter twice', body: add('colour=red&colour=blue') },
  { name: 'client_id twice', body: add('client_id=app&client_id=app') },
  { name: 'no content type', type: null, body: (form) => form },
  { name: 'text/plain', type: 'text/plain', body: (form) => form },
  { name: 'JSON', type: 'application/json', body: () => '{"grant_type":"client_credentials"}' },
  { name: 'JSON called a form', body: () => '{"grant_type":"client_credentials"}' },
  { name: 'XML', type: 'text/xml', body: () => '<!DOCTYPE x [<!ENTITY y SYSTEM "file:///">]>' },
  { name: 'multipart', type: 'multipart/form-data; boundary=x', body: () => multipart },
  { name: 'a form in another charset', type: `${formType}; charset=latin1`, body: (form) => form },
  { name: 'two content types', type: `${formType}, text/plain`, body: (form) => form },
  {
    name: 'a compressed body',
    headers: { 'content-encoding': 'gzip' },
    body: (form) => gzipSync(form),
  },
  { name: 'br that is none', headers: { 'content-encoding': 'br' }, body: (form) => form },
  { name: 'invalid UTF-8', body: joined(bytes(0x78, 0x3d, 0xff, 0xfe)) },
  { name: 'overlong UTF-8', body: joined(bytes(0x78, 0x3d, 0xc0, 0xaf)) },
  { name: 'half a character', body: joined(bytes(0x78, 0x3d, 0xc3)) },
  { name: 'UTF-16', body: (form) => Buffer.from(`\ufeff${form}`, 'utf16le') },
  { name: 'percent-encoded invalid UTF-8', body: add('x=%ff%fe') },
  { name: 'a percent-encoded surrogate', body: add('x=%ed%a0%80') },
  { name: 'a percent sign alone', body: add('x=%') },
  { name: 'a broken percent-encoding', body: add('x=%zz') },
  { name: 'a broken name', body: add('%zz=x') },
  { name: 'a NUL', body: joined(bytes(0x78, 0x3d, 0x00)) },
  { name: 'a percent-encoded NUL', body: add('x=a%00b') },
  { name: 'a NUL in a name', body: add('x%00=y') },
  { name: 'a parameter without a name', body: add('=x') },
  {
    name: 'too many parameters',
    body: add(Array.from({ length: 64 }, (_, n) => `p${n}=x`).join('&')),
  },
  { name: 'a body too large', body: add(`x=${'y'.repeat(16_384)}`), expected: { status: 413 } },
  { name: 'parameters in the URL', query: '?scope=read', body: (form) => form },
  { name: 'a secret in the URL', query: `?client_secret=${app.secret}`, body: (form) => form },
  { name: 'Basic and a secret', body: add('client_secret=x') },
  { name: 'Basic and an assertion', body: add('client_assertion=x.y.z') },
  { name: 'another client_id', body: add('client_id=another') },
  { name: 'nothing', body: () => '' },
]

const multipart =
  '--x\r\ncontent-disposition: form-data; name="grant_type"\r\n\r\npassword\r\n--x--\r\n'

/** A form whose first letter is percent-encoded. */
function escaped(form: string): string {
  return `%${form.charCodeAt(0).toString(16)}${form.slice(1)}`
}

for (const endpoint of endpoints) {
  test(`RFC 6749 §3.2, ASVS 2.2.1: ${endpoint.path} refuses malformed requests`, async (t) => {
    const server = await startServer(t)
    for (const { name, type = formType, headers, body, query = '', expected } of cases) {
      const answer = await server.request(endpoint.path + query, {
        method: 'POST',
        headers: {
          authorization: basic(app),
          ...(type !== null && { 'content-type': type }),
          ...headers,
        },
        body: Buffer.from(body(endpoint.form)),
      })
      isOAuthError(t, answer, name, expected)
    }
    t.is((await server.clientCredentials()).status, 200, 'and goes on working')
  })

  test(`RFC 6749 §3.2: ${endpoint.path} accepts unusual but valid requests`, async (t) => {
    const server = await startServer(t)
    const odd = [
      '__proto__=x&constructor=y&toString=z&hasOwnProperty=&__proto__[admin]=1',
      'foo=bar&callback=alert',
      'empty=&empty=&empty=',
      'scope=&resource=&client_id=&client_secret=&client_assertion=&token_type_hint=',
      '&&&',
      'word',
      'emoji=%F0%9F%92%A5&bom=%EF%BB%BF',
    ]
    for (const more of odd) {
      const answer = await send(`${endpoint.form}&${more}`)
      t.is(answer.status, 200, `${more}: ${answer.text}`)
    }
    const types = [
      'APPLICATION/X-WWW-FORM-URLENCODED',
      `${formType};charset=UTF-8`,
      `${formType}; charset="utf-8"`,
    ]
    for (const type of types) t.is((await send(endpoint.form, type)).status, 200, type)

    function send(body: string, type = formType) {
      const headers = { authorization: basic(app), 'content-type': type }
      return server.request(endpoint.path, { method: 'POST', headers, body })
    }
  })

  test(`RFC 6749 §3.2: ${endpoint.path} names the parameter that is missing or empty`, async (t) => {
    const server = await startServer(t)
    for (const form of [{}, { [endpoint.needs]: '' }, { __proto__x: 'y' }]) {
      const answer = await server.post(endpoint.path, form)
      isOAuthError(t, answer, JSON.stringify(form))
      t.is(answer.body.error_description, `the parameter ${endpoint.needs} is missing`)
    }
  })
}
