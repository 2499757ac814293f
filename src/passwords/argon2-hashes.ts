import { verify } from 'argon2'
import { bound, HashError, hashLimits, type PasswordHash } from './hash-limits.ts'

export interface Argon2Parameters {
  readonly memoryKib: number
  readonly passes: number
  readonly lanes: number
}

/** A PHC string with its parameters in any order, with the prefix that Django puts before it or without. */
export function readArgon2(text: string) {
  const found =
    /^(?:argon2)?(\$argon2(?:id|i|d)(?:\$v=(?:16|19))?\$([mtp=,\d]{1,64})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86})$/.exec(
      text,
    )
  const [, phc = '', parameters = ''] = found ?? []
  const cost = new Map(parameters.split(',').map((part) => [part[0], Number(part.slice(2))]))
  const [memoryKib = 0, passes = 0, lanes = 0] = [cost.get('m'), cost.get('t'), cost.get('p')]
  const isWhole = cost.size === 3 && /^([mtp]=\d{1,9},?){3}$/.test(parameters)
  return isWhole ? { phc, memoryKib, passes, lanes } : undefined
}

export function argon2Hash(
  phc: string,
  cost: Argon2Parameters,
  own?: Argon2Parameters,
): PasswordHash {
  const { memoryKib, passes, lanes } = cost
  const isOwn = own && memoryKib <= own.memoryKib && passes <= own.passes && lanes <= own.lanes
  if (memoryKib < 8 * lanes || passes < 1 || lanes < 1) throw new HashError('argon2: bad cost')
  if (!isOwn) {
    bound('argon2 memory in KiB', memoryKib, hashLimits.argon2MemoryKib)
    bound('argon2 memory times passes', memoryKib * passes, hashLimits.argon2Work)
    bound('argon2 lanes', lanes, hashLimits.argon2Lanes)
  }
  return { verify: (password) => verify(phc, password) }
}
