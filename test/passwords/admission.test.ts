import test from 'ava'
import { Admission } from '../../src/passwords/admission.ts'

/** Batches of as much work as is admitted, each taking this long. @returns the size of each batch */
function batches(admission: Admission, seconds: number, count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => {
    const beganAt = from + index * (seconds + 1)
    let admitted = 0
    while (!admission.isFull && admitted < 200) {
      admission.began()
      admitted += 1
    }
    for (let one = 0; one < admitted; one += 1) admission.ended(beganAt, beganAt + seconds)
    return admitted
  })
}

test('work that is in time → all of it is admitted', (t) => {
  const admission = new Admission({ targetSeconds: 2, least: 4 })
  t.deepEqual(batches(admission, 1.9, 3), [200, 200, 200])
})

test('late work → the limit shrinks once per batch, down to the minimum', (t) => {
  const admission = new Admission({ targetSeconds: 2, least: 4 })
  const late = batches(admission, 5, 30)
  t.deepEqual(late.slice(0, 3), [200, 160, 128])
  t.is(late.at(-1), 4, 'some are always let in, who find out that it is over')
})

test('work is in time again → the limit grows until all of it is admitted', (t) => {
  const admission = new Admission({ targetSeconds: 2, least: 4 })
  batches(admission, 5, 30)
  const recovering = batches(admission, 0.1, 500, 1000)
  t.is(recovering[0], 4)
  for (let index = 1; index < recovering.length; index += 1) {
    const grown = (recovering[index] ?? 0) - (recovering[index - 1] ?? 0)
    t.true(grown >= 0 && grown <= 2, 'step by step')
  }
  t.is(recovering.at(-1), 200)
  t.is(admission.running, 0)
})
