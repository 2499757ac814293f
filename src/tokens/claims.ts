import { z } from 'zod'

/** Without control characters: PostgreSQL takes no NUL in a text. */
const name = z.string().regex(/^\P{Cc}+$/u)
const audience = z.union([name, z.array(name).min(1)])

/**
 * The claims of an access token of ours, RFC 9068 §2.2. Read as strictly as they are written: even a
 * token that the genuine key signed must not bring a list where a name is looked up.
 */
export const accessTokenClaims = z
  .looseObject({
    iss: name,
    sub: name,
    aud: audience,
    exp: z.int(),
    iat: z.int(),
    jti: z.uuid(),
    client_id: name,
    scope: z.string(),
    sid: z.uuid().optional(),
    auth_time: z.int().optional(),
    amr: z.array(name).optional(),
    roles: z.array(name).optional(),
  })
  // A token with a session acts for a person, who is looked up by this id.
  .refine(({ sub, sid }) => sid === undefined || z.uuid().safeParse(sub).success)

export type AccessTokenClaims = z.output<typeof accessTokenClaims>

/** The header that this server writes and no other: what brings a key or an extension is not its own. */
export const isOwnHeader = (header: object): boolean =>
  Object.keys(header).every((member) => ['alg', 'typ', 'kid'].includes(member))
