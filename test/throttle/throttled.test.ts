import test from 'ava'
import { addressOf, networkOf } from '../../src/throttle/networks.ts'
import { rateLimitFields, ThrottledError, throttledFields } from '../../src/throttle/throttled.ts'

test('RFC 6585 §4: a 429 → Retry-After and the limit in structured fields', (t) => {
  const quota = { policy: 'sign-in', limit: 5, windowSeconds: 900, remaining: 0, resetSeconds: 55 }
  t.deepEqual(throttledFields(new ThrottledError(quota)), {
    'retry-after': '55',
    'ratelimit-policy': '"sign-in";q=5;w=900',
    ratelimit: '"sign-in";r=0;t=55',
  })
  t.deepEqual(rateLimitFields({ ...quota, remaining: 2 }), {
    'ratelimit-policy': '"sign-in";q=5;w=900',
    ratelimit: '"sign-in";r=2;t=55',
  })
  t.is(new ThrottledError({ ...quota, resetSeconds: 0 }).retryAfterSeconds, 1, 'never at once')
})

const places: [ip: string, address: string, network: string][] = [
  ['192.0.2.7', '192.0.2.7/32', '192.0.2/24'],
  ['192.0.2.8', '192.0.2.8/32', '192.0.2/24'],
  ['::ffff:192.0.2.7', '192.0.2.7/32', '192.0.2/24'],
  ['::FFFF:C000:0207', '192.0.2.7/32', '192.0.2/24'],
  ['0:0:0:0:0:ffff:192.0.2.7', '192.0.2.7/32', '192.0.2/24'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', '2001:db8:1::/48'],
  ['2001:DB8:0001:2::1', '2001:db8:1:2::/64', '2001:db8:1::/48'],
  ['2001:db8:1:3::', '2001:db8:1:3::/64', '2001:db8:1::/48'],
  ['2001:db8::1', '2001:db8:0:0::/64', '2001:db8:0::/48'],
  ['::1', '0:0:0:0::/64', '0:0:0::/48'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64', 'fe80:0:0::/48'],
  ['fe80::1%wlan0', 'fe80:0:0:0::/64', 'fe80:0:0::/48'],
  ['1:2:3:4:5:6:7::', '1:2:3:4::/64', '1:2:3::/48'],
]

test('an address in every spelling → one bucket for an IPv4 address and for an IPv6 /64', (t) => {
  for (const [ip, address, network] of places) {
    t.deepEqual([addressOf(ip), networkOf(ip)], [address, network], ip)
  }
})

test('invalid addresses → one shared bucket', (t) => {
  for (const ip of [
    '',
    'x',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '::g',
    ':',
    '[::1]',
    '1.2.3.4, 5',
    '%',
  ]) {
    t.deepEqual([addressOf(ip), networkOf(ip)], ['unknown', 'unknown'], ip)
  }
})
