import test from 'ava'
import {
  formActionSource,
  isRegistered,
  longestRedirectUri,
  redirectUriProblem,
  withParameters,
} from '../../src/oauth/redirect-uri.ts'

const long = (length: number) => `https://web.example/${'a'.repeat(length - 20)}`

const registrable = [
  'https://web.example/callback',
  'https://web.example',
  'https://web.example/',
  'https://web.example:8443/callback',
  'https://WEB.example/Callback',
  'https://xn--bcher-kva.example/cb',
  'https://web.example/cb?tenant=7&x=%20',
  'https://web.example/a/../b',
  'https://web.example/%2e%2e/b',
  'https://web.example./callback',
  'https://192.0.2.7/cb',
  'https://[2001:db8::7]/cb',
  'https://[2001:db8::7]:8443/cb',
  'https://web.example/@me',
  'https://web.example/cb?to=https://elsewhere.example/',
  'http://localhost/cb',
  'http://localhost:3000/cb',
  'http://127.0.0.1:3000/cb',
  'http://[::1]/cb',
  'http://[::1]:3000/cb?x=1',
  'com.example.app:/callback',
  'com.example.app://callback',
  'myapp://callback',
  long(longestRedirectUri),
]

const refused = [
  // No absolute URI, or characters that belong into no URI.
  '',
  '/callback',
  '//web.example/callback',
  'web.example/callback',
  'https://',
  'https://web.example/call back',
  ' https://web.example/callback',
  'https://web.example/callback ',
  'https://web.example/call\tback',
  'https://web.example/call\nback',
  'https://web.example/\r\nSet-Cookie: a=b',
  'https://web.example/\u0000',
  'https://web.example/\u007f',
  'https://web.example/ü',
  'https://bücher.example/cb',
  'https://web\u2024example/cb',
  'https://web.example\u3002evil.example/cb',
  'https://wеb.example/cb',
  'https://web.example/\u202ecb',
  long(longestRedirectUri + 1),
  // RFC 6749 §3.1.2: no fragment.
  'https://web.example/cb#',
  'https://web.example/cb#x',
  'com.example.app:/cb#x',
  // User names.
  'https://web.example@evil.example/cb',
  'https://web.example:pass@evil.example/cb',
  'https://@web.example/cb',
  'https://:@web.example/cb',
  'https://user@web.example/cb',
  'https://web.example%40evil.example/cb',
  // Slashes: browsers and URL parsers disagree.
  'https:web.example/cb',
  'https:/web.example/cb',
  'https:///web.example/cb',
  'https:////web.example/cb',
  'https:\\\\web.example\\cb',
  'https://web.example\\@evil.example/cb',
  'https://web.example/cb\\',
  'http:localhost/cb',
  'http:/localhost/cb',
  'http:///localhost/cb',
  // Wildcards, and characters of hosts that are no names.
  'https://*.web.example/cb',
  'https://web.example/*',
  'https://web.example;script-src/cb',
  "https://web.example'/cb",
  'https://web.example,evil.example/cb',
  'https://web_app.example/cb',
  'https://web.example:/cb',
  'https://web.example:99999/cb',
  'https://web.example:-1/cb',
  'https://web.example:80a/cb',
  'https://[2001:db8::7/cb',
  'https://[localhost]/cb',
  'https://256.256.256.256/cb',
  // RFC 9700 §2.6: http on loopback only.
  'http://web.example/cb',
  'HTTP://web.example/cb',
  'http://localhost.evil.example/cb',
  'http://evil.example/localhost',
  'http://127.0.0.1.evil.example/cb',
  'http://127.0.0.2/cb',
  'http://localhost@evil.example/cb',
  'http://0.0.0.0/cb',
  'http://[::]/cb',
  'http://[::ffff:192.0.2.7]/cb',
  'http://192.168.0.1/cb',
  'http://localhost./cb',
  // Schemes that browsers and systems handle themselves.
  'javascript:alert(1)',
  'JavaScript:alert(1)',
  'javascript://web.example/%0aalert(1)',
  'data:text/html,x',
  'vbscript:x',
  'file:///etc/passwd',
  'blob:https://web.example/1',
  'about:blank',
  'filesystem:https://web.example/temporary/x',
  'view-source:https://web.example/',
  'jar:https://web.example!/x',
  'feed:javascript:alert(1)',
  'ws://web.example/',
  'wss://web.example/',
  'ftp://web.example/',
  'mailto:a@web.example',
  'tel:+1',
  'sms:+1',
  'intent://web.example/#Intent;end',
  'chrome://settings',
  'ms-msdt:/id',
  'search-ms:query=x',
]

for (const uri of registrable) {
  test(`registered: ${uri.slice(0, 60)}`, (t) => {
    t.is(redirectUriProblem(uri), undefined)
    t.true(isRegistered(uri, ['https://other.example/', uri]))
    t.true(URL.canParse(withParameters(uri, { code: 'c', state: 's' })))
    t.regex(formActionSource(uri), /^[a-z0-9.+-]+:(\/\/[a-z0-9.[\]:-]+)?$/i)
  })
}

for (const uri of refused) {
  test(`not registered: ${JSON.stringify(uri.slice(0, 60))}`, (t) => {
    t.is(typeof redirectUriProblem(uri), 'string')
  })
}

const registered = [
  'https://web.example/callback',
  'https://web.example/cb?tenant=7',
  'com.example:/cb',
]

const similar = [
  '',
  'https://web.example',
  'https://web.example/',
  'https://web.example/callback/',
  'https://web.example/callback?',
  'https://web.example/callback?x=1',
  'https://web.example/callback#',
  'https://web.example/callback#x',
  'https://web.example/callback/../callback',
  'https://web.example/./callback',
  'https://web.example//callback',
  'https://web.example/callback%2f..%2fx',
  'https://web.example/%63allback',
  'https://web.example/callback%00',
  'https://web.example/callback\u0000',
  'https://web.example/callback\t',
  'https://web.example/callback\n',
  '\thttps://web.example/callback',
  'https://web.example/Callback',
  'https://WEB.example/callback',
  'HTTPS://web.example/callback',
  'https://web.example:443/callback',
  'https://web.example:8443/callback',
  'https://web.example./callback',
  'https://www.web.example/callback',
  'https://web.example.evil.example/callback',
  'https://evil.example/https://web.example/callback',
  'https://evil.example?https://web.example/callback',
  'https://web.example@evil.example/callback',
  'https://user@web.example/callback',
  'https://web.example\\@evil.example/callback',
  'https:\\\\web.example\\callback',
  'https:/web.example/callback',
  'https:web.example/callback',
  '//web.example/callback',
  'http://web.example/callback',
  'https://wеb.example/callback',
  'https://xn--wb-5lb.example/callback',
  'https://web。example/callback',
  'javascript:alert(1)//https://web.example/callback',
  'data:text/html,https://web.example/callback',
  'https://web.example/cb',
  'https://web.example/cb?tenant=8',
  'https://web.example/cb?tenant=7&x=1',
  'https://web.example/cb?x=1&tenant=7',
  'com.example:/cb/',
  'com.example://cb',
  'COM.example:/cb',
  'com.example.evil:/cb',
  `https://web.example/callback${'a'.repeat(100_000)}`,
]

for (const uri of similar) {
  test(`RFC 9700 §4.1.3: not the registered text: ${JSON.stringify(uri.slice(0, 60))}`, (t) => {
    t.false(isRegistered(uri, registered))
  })
}

const loopback = ['http://127.0.0.1/cb', 'http://[::1]:7000/cb?x=1', 'http://localhost:3000/cb']

const otherPorts = [
  'http://127.0.0.1:1/cb',
  'http://127.0.0.1:65535/cb',
  'http://127.0.0.1:49152/cb',
  'http://[::1]/cb?x=1',
  'http://[::1]:49152/cb?x=1',
  'http://localhost/cb',
  'http://localhost:80/cb',
]

for (const uri of otherPorts) {
  test(`RFC 8252 §7.3: loopback on another port → registered: ${uri}`, (t) => {
    t.true(isRegistered(uri, loopback))
  })
}

const otherLoopback = [
  'https://127.0.0.1/cb',
  'http://127.0.0.1/other',
  'http://127.0.0.1/cb?x=1',
  'http://127.0.0.1/cb#x',
  'http://127.0.0.1:0/cb',
  'http://127.0.0.1:65536/cb',
  'http://127.0.0.1:123456/cb',
  'http://127.0.0.1:/cb',
  'http://127.0.0.1:80@evil.example/cb',
  'http://127.0.0.1@evil.example/cb',
  'http://evil.example@127.0.0.1/cb',
  'http://127.0.0.1\\@evil.example/cb',
  'http://127.0.0.1.evil.example/cb',
  'http://127.0.0.1:80.evil.example/cb',
  'http://127.0.0.2/cb',
  'http://127.1/cb',
  'http://2130706433/cb',
  'http://0x7f.0.0.1/cb',
  'http://[0:0:0:0:0:0:0:1]/cb?x=1',
  'http://[::ffff:127.0.0.1]/cb',
  'http://[::1%25eth0]/cb?x=1',
  'http://[::1]/cb',
  'http://LOCALHOST/cb',
  'http://localhost./cb',
  'http://localhost.evil.example/cb',
  'http://evil.example/cb',
  'http://localhost/cb/',
  'http://localhost//cb',
  'http://localhost/cb\\',
  'http://127.0.0.1:3000/cb/../cb',
]

for (const uri of otherLoopback) {
  test(`RFC 8252 §7.3: on loopback only the port may differ: ${uri}`, (t) => {
    t.false(isRegistered(uri, loopback))
  })
}

test('an https address on another port → not registered', (t) => {
  t.false(isRegistered('https://127.0.0.1:7000/cb', ['https://127.0.0.1/cb']))
  t.false(isRegistered('com.example:8/cb', ['com.example:7/cb']))
})

test('RFC 6749 §4.1.2: response parameters → after those that the address has', (t) => {
  t.is(withParameters('https://a.example/cb', { code: 'a b&' }), 'https://a.example/cb?code=a+b%26')
  t.is(withParameters('https://a.example/cb?x=1', { code: 'c' }), 'https://a.example/cb?x=1&code=c')
  t.is(withParameters('https://a.example/cb?', { code: 'c' }), 'https://a.example/cb?code=c')
  t.is(withParameters('https://a.example/cb', {}), 'https://a.example/cb')
})
