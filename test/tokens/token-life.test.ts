import { randomUUID } from 'node:crypto'
import test from 'ava'
import { tokenLife } from '../../src/tokens/token-lives.ts'

const jti = (first: string) => `${first}-0000-4000-8000-000000000000`

test('a token lives up to a tenth shorter than configured, and never longer', (t) => {
  for (const [seconds, shortest] of [
    [86_400, 86_340],
    [900, 840],
    [600, 540],
    [300, 270],
    [60, 54],
    [35, 32],
    [31, 30],
    [30, 30],
    [5, 5],
    [1, 1],
  ] as const) {
    t.is(tokenLife(seconds, jti('00000000')), seconds)
    t.is(tokenLife(seconds, jti('ffffffff')), shortest, `${seconds}`)
  }
})

test('lifetimes are spread evenly: clients that started together refresh at different seconds', (t) => {
  const counts = new Map<number, number>()
  for (let at = 0; at < 6100; at += 1) {
    const life = tokenLife(900, randomUUID())
    counts.set(life, (counts.get(life) ?? 0) + 1)
  }
  t.is(counts.size, 61)
  // A hundred for each second: by chance it is beyond these bounds once in more than 10¹² runs.
  for (const count of counts.values()) t.true(count > 25 && count < 200, `${count}`)
})
