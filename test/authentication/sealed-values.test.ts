import { randomBytes } from 'node:crypto'
import test from 'ava'
import { SealedValues } from '../../src/authentication/sealed-values.ts'

const sealed = new SealedValues(randomBytes(32), () => new Date())

test('the longest value that fits → it opens; a longer one → it does not fit, and would not open', async (t) => {
  for (const character of ['x', 'é', '"']) {
    let length = 0
    while (sealed.fits({ state: character.repeat(length + 1) })) length += 1
    t.true(length > 1000, character)
    const longest = { state: character.repeat(length) }
    t.like(await sealed.open('request', await sealed.seal('request', longest)), longest)
    const longer = await sealed.seal('request', { state: character.repeat(length + 1) })
    t.is(await sealed.open('request', longer), undefined)
  }
})
