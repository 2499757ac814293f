import { z } from 'zod'
import type { Now } from '../../clock.ts'
import { keyState } from '../../keyring/signing-key.ts'
import type { SigningKeys } from '../../keyring/signing-keys.ts'
import { type Operation, operation } from '../operation.ts'

interface Dependencies {
  readonly signingKeys: SigningKeys
  readonly now: Now
}

const maybeMoment = z.iso.datetime().nullable()

const key = z
  .object({
    kid: z.string(),
    state: z.enum(['upcoming', 'active', 'retiring', 'retired', 'revoked']),
    published_at: z.iso.datetime(),
    signs_from: z.iso.datetime(),
    signs_until: maybeMoment,
    published_until: maybeMoment,
    revoked_at: maybeMoment,
  })
  .meta({ id: 'SigningKey' })

/** Lists the signing keys. Only the command line changes them. */
export const keyOperations = ({ signingKeys, now }: Dependencies): Operation[] => [
  operation({
    method: 'get',
    path: '/api/v1/keys',
    tag: 'Administration: keys',
    summary: 'Signing keys and their times',
    access: 'administrator',
    responses: { 200: { description: 'All', schema: z.object({ keys: z.array(key) }) } },
    async handle() {
      const found = await signingKeys.all()
      const keys = found.map((one) => ({
        kid: one.kid,
        state: keyState(one, now()),
        published_at: one.publishedAt.toISOString(),
        signs_from: one.signsFrom.toISOString(),
        signs_until: one.signsUntil?.toISOString() ?? null,
        published_until: one.publishedUntil?.toISOString() ?? null,
        revoked_at: one.revokedAt?.toISOString() ?? null,
      }))
      return { status: 200, body: { keys } }
    },
  }),
]
