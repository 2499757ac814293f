import type { FaultList } from '../fault.ts'

export const sessions: FaultList = {
  tests: ['test/sessions', 'test/grants', 'test/clients'],
  faults: [
    [
      '../oauth/opaque-token.ts',
      'timingSafeEqual(this.#mac(body), bytes.subarray(this.#bodyBytes)) ? body : undefined',
      'body',
    ],
    ['../oauth/opaque-token.ts', "if (bytes.toString('base64url') !== text)", 'if (false)'],
    [
      '../oauth/opaque-token.ts',
      'if (bytes.length !== this.#bodyBytes + macBytes)',
      'if (bytes.length < this.#bodyBytes + macBytes)',
    ],
    ['session.ts', 'row.revoked_at === null && row.expires_at > now', 'row.expires_at > now'],
    [
      'session.ts',
      '&& row.expires_at > now && row.idle_expires_at > now',
      '&& row.idle_expires_at > now',
    ],
    ['session.ts', '&& row.idle_expires_at > now', ''],
    [
      'rotation-batch.ts',
      'seed_digest = $3 AND client_id = $4',
      '(seed_digest = $3 OR true) AND client_id = $4',
    ],
    [
      'rotation-batch.ts',
      'seed_digest = $3 AND client_id = $4',
      'seed_digest = $3 AND (client_id = $4 OR true)',
    ],
    [
      'rotation-batch.ts',
      'WHERE sid = $1 AND generation = $2 AND',
      'WHERE sid = $1 AND generation <= $2 AND',
    ],
    [
      'rotation-batch.ts',
      'AND users.id = family.user_id AND users.disabled_at IS NULL',
      'AND users.id = family.user_id',
    ],
    [
      'rotation-batch.ts',
      'AND clients.id = family.client_id AND clients.disabled_at IS NULL',
      'AND clients.id = family.client_id',
    ],
    [
      'rotation-batch.ts',
      'AND family.seed_digest = step.digest AND family.client_id = step.client_id',
      'AND family.client_id = step.client_id',
    ],
    [
      'rotation-batch.ts',
      'AND family.seed_digest = step.digest AND family.client_id = step.client_id',
      'AND family.seed_digest = step.digest',
    ],
    [
      'rotation-batch.ts',
      'JOIN users ON users.id = family.user_id AND users.disabled_at IS NULL',
      'JOIN users ON users.id = family.user_id',
    ],
    [
      'rotation-batch.ts',
      'JOIN clients ON clients.id = family.client_id AND clients.disabled_at IS NULL',
      'JOIN clients ON clients.id = family.client_id',
    ],
    [
      'rotation-batch.ts',
      'AND family.expires_at > step.now AND family.idle_expires_at > step.now',
      'AND family.expires_at > step.now',
    ],
    [
      'rotation-batch.ts',
      'AND family.expires_at > step.now AND family.idle_expires_at > step.now',
      'AND family.idle_expires_at > step.now',
    ],
    ['rotation-batch.ts', 'LEAST(step.idle_expires_at, family.expires_at)', 'step.idle_expires_at'],
    ['rotation-batch.ts', 'FROM advanced WHERE lost > 0', 'FROM advanced'],
    ['rotation-batch.ts', 'AND rotated_at = $8', 'AND (rotated_at = $8 OR true)'],
    [
      'rotation-batch.ts',
      'outcomes[Number(row.at) - 1] = row',
      'outcomes[Number(row.at) % rows.length] = row',
    ],
    [
      'new-session.ts',
      'Math.min(request.idleSeconds, request.absoluteSeconds)',
      'request.idleSeconds',
    ],
    ['new-session.ts', 'WHERE users.id = $1 AND users.disabled_at IS NULL', 'WHERE users.id = $1'],
    [
      'new-session.ts',
      "AND date_trunc('milliseconds', password_changed_at) = $2",
      'AND $2::timestamptz IS NOT NULL',
    ],
    [
      'new-session.ts',
      'AND clients.id = $3 AND clients.disabled_at IS NULL',
      'AND clients.id = $3',
    ],
    ['new-session.ts', 'WHERE users.id = ? AND users.disabled_at IS NULL', 'WHERE users.id = ?'],
    ['new-session.ts', 'AND clients.id = ? AND clients.disabled_at IS NULL', 'AND clients.id = ?'],
    [
      'new-session.ts',
      'WHERE (SELECT count(*) FROM live) < $5',
      'WHERE (SELECT count(*) FROM live) <= $5 + 40',
    ],
    ['refresh-families.ts', 'row.generation > content.generation', 'false'],
    [
      'refresh-families.ts',
      'if (row.user_disabled_at || row.client_disabled_at)',
      'if (row.client_disabled_at)',
    ],
    [
      'refresh-families.ts',
      'if (row.user_disabled_at || row.client_disabled_at)',
      'if (row.user_disabled_at)',
    ],
    ['refresh-families.ts', "if (keep.sid) live.whereNot('sid', keep.sid)", ''],
    ['refresh-families.ts', 'await revoke(...ended.map((row) => this.#revocationOf(row)))', ''],
    ['refresh-families.ts', '.offset(kept)', '.offset(kept + 1)'],
    [
      'refresh-families.ts',
      'row?.seed_digest.equals(digestSecret(content.seed)) ? row',
      'row ? row',
    ],
    ['refresh-rotation.ts', "if (row.client_id !== clientId) return 'other_client'", ''],
    ['refresh-rotation.ts', "if (row.revoked_at) return 'revoked'", ''],
    ['refresh-rotation.ts', "if (row.user_disabled_at) return 'user_disabled'", ''],
    ['refresh-rotation.ts', 'secondsBetween(rotatedAt, now()) <= graceSeconds', 'true'],
    ['refresh-rotation.ts', 'secondsBetween(rotatedAt, now()) <= graceSeconds', 'false'],
    [
      'refresh-rotation.ts',
      'content.generation === row.generation - 1 ? row.rotated_at : null',
      'row.rotated_at',
    ],
    ['refresh-rotation.ts', 'await this.#endReused(row, content.generation, presenter)', ''],
    [
      'refresh-rotation.ts',
      'if (await unanswered.has(row.sid, rotatedAt)) return this.#repeat(row, content, presenter)',
      '',
    ],
    [
      'refresh-rotation.ts',
      'if (unanswered.isInDoubt) return this.#judgeLater(content, presenter)',
      '',
    ],
    [
      'refresh-rotation.ts',
      'content.generation > before.generation && (await this.#isRevoked(content.sid))',
      'false',
    ],
    [
      'ended-sessions.ts',
      'WHERE revoked_at IS NULL AND sid = ANY (ARRAY( SELECT sid',
      'WHERE sid = ANY (ARRAY( SELECT sid',
    ],
    ['expired-sessions.ts', '(idle_expires_at < ?', '(idle_expires_at > ?'],
    ['unanswered-rotations.ts', 'if (mayBeDone(error)) this.note(sid, rotatedAt)', ''],
    ['unanswered-rotations.ts', ".where('noted_at', '>', this.#oldest())", ''],
  ],
}
