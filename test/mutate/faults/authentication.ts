import type { FaultList } from '../fault.ts'

export const authentication: FaultList = {
  tests: ['test/authentication', 'test/grants', 'test/api/account'],
  faults: [
    ['account-lines.ts', 'line.running < concurrentAttempts && line.waiting.length === 0', 'true'],
    ['account-lines.ts', 'line.waiting.length >= maxWaitingPerAccount', 'false'],
    ['account-lines.ts', 'if (hasSucceeded) line.successes += 1', ''],
    [
      'account-lines.ts',
      'if (metDelay) line.waiting.unshift(waiting)',
      'if (false) line.waiting.unshift(waiting)',
    ],
    ['account-lines.ts', 'if (this.#waiting.size < maxWaiting) return true', 'return true'],
    [
      '../oauth/opaque-token.ts',
      "timingSafeEqual(this.#mac(body), bytes.subarray(this.#bodyBytes)) ? body : 'signature'",
      'body',
    ],
    ['device-tokens.ts', 'epochSeconds(now) - issuedAt >= lifeSeconds', 'false'],
    [
      'device-tokens.ts',
      'read?.user.equals(uuidBytes(userId)) ? read.device',
      'read ? read.device',
    ],
    ['guess-delays.ts', 'free.allowed && free.points < this.#limits.freeFailures', 'free.allowed'],
    [
      'guess-delays.ts',
      'Math.min(firstDelaySeconds * 2 ** level, longestDelaySeconds)',
      'firstDelaySeconds',
    ],
    [
      'guess-delays.ts',
      'Math.min(firstDelaySeconds * 2 ** level, longestDelaySeconds)',
      'firstDelaySeconds * 2 ** level',
    ],
    ['guess-delays.ts', 'if (!gate.allowed) throw this.refusal(gate.millisecondsLeft)', ''],
    ['guess-limiter.ts', 'const limits = device ? [] : sources', 'const limits = []'],
    ['guess-limiter.ts', 'const limits = device ? [] : sources', 'const limits = sources'],
    ['guess-limiter.ts', 'await counted.forget()', ''],
    ['guess-limiter.ts', 'if (!isSettled) await counted.giveBack()', ''],
    ['guess-limiter.ts', 'epoch?.points ?? 0', '0'],
    [
      'next.ts',
      "prompt.includes('select_account') && session.chosenFor !== id",
      "prompt.includes('select_account')",
    ],
    [
      'next.ts',
      '(isOld || maxAge === 0) && session.authenticatedFor !== request.id',
      '(isOld || maxAge === 0) && session.authenticatedFor !== request.id && session.chosenFor !== request.id',
    ],
    ['password.ts', '!user || mustVerifyAddress(user, client)', '!user'],
    [
      'password.ts',
      "if (user.mustChangePassword) return { refused: 'password_change_required', user }",
      '',
    ],
    ['password.ts', 'turn.succeeded()', ''],
    ['password.ts', '!user.emailVerifiedAt && !client.letsUnverifiedIn', '!user.emailVerifiedAt'],
  ],
}
