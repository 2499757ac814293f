import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import { argon2id, hash, verify } from 'argon2'
import { SignJWT } from 'jose'
import pg from 'pg'

const issuer = 'https://oauth2-server.bench.example'
const audience = 'https://api.bench.example'
const digest = (secret) => createHash('sha256').update(secret).digest()
const clientSecret = digest('the-secret-of-the-bench')
const client = {
  id: 'app',
  grants: ['client_credentials', 'password', 'refresh_token'],
  accessTokenLifetime: 900,
  refreshTokenLifetime: 604_800,
}

const schema = `
  CREATE TABLE people (id uuid PRIMARY KEY, username text NOT NULL UNIQUE, password_hash text NOT NULL);
  CREATE TABLE refresh_tokens (
    digest     bytea PRIMARY KEY,
    user_id    uuid NOT NULL,
    client_id  text NOT NULL,
    scope      text[] NOT NULL,
    expires_at timestamptz NOT NULL
  );
  CREATE INDEX refresh_tokens_user_id ON refresh_tokens (user_id);
  CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at)`

/**
 * The model that the library wants: the client in memory, people and digests of refresh tokens in
 * PostgreSQL. Access tokens are JWTs and nobody keeps them.
 */
export async function modelFor({ databaseUrl, people, privateKey }) {
  const pool = databaseUrl && new pg.Pool({ connectionString: databaseUrl, max: 10 })
  if (pool) await pool.query(schema)
  if (pool && people) await createPeople(pool, people)
  return { ...clientModel, ...tokenModel(pool, privateKey), ...personModel(pool) }
}

const clientModel = {
  async getClient(id, secret) {
    return id === client.id && timingSafeEqual(digest(secret ?? ''), clientSecret) && client
  },
  getUserFromClient: async ({ id }) => ({ id }),
  validateScope: async (_user, _client, scope) => scope ?? ['read', 'write'],
}

const personModel = (pool) => ({
  async getUser(username, password) {
    const { rows } = await pool.query('SELECT id, password_hash FROM people WHERE username = $1', [
      username,
    ])
    const [row] = rows
    return row && (await verify(row.password_hash, password)) && { id: row.id }
  },
})

function tokenModel(pool, privateKey) {
  const keep = (token, userId, scope, expiresAt) =>
    pool.query('INSERT INTO refresh_tokens VALUES ($1, $2, $3, $4, $5)', [
      ...[digest(token), userId, client.id, scope, expiresAt],
    ])
  return {
    generateAccessToken: (_client, user, scope) =>
      new SignJWT({ client_id: client.id, scope: scope.join(' '), jti: randomUUID() })
        .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: 'one' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(user.id)
        .setIssuedAt()
        .setExpirationTime('15m')
        .sign(privateKey),
    generateRefreshToken: async () => randomBytes(32).toString('base64url'),
    async saveToken(token, _client, user) {
      const { refreshToken, refreshTokenExpiresAt: until, scope } = token
      if (refreshToken) await keep(refreshToken, user.id, scope, until)
      return { ...token, client, user }
    },
    async getRefreshToken(refreshToken) {
      const { rows } = await pool.query('SELECT * FROM refresh_tokens WHERE digest = $1', [
        digest(refreshToken),
      ])
      const [row] = rows
      if (!row) return undefined
      const { user_id: id, scope, expires_at: refreshTokenExpiresAt } = row
      return { refreshToken, refreshTokenExpiresAt, scope, client, user: { id } }
    },
    async revokeToken({ refreshToken }) {
      const { rowCount } = await pool.query('DELETE FROM refresh_tokens WHERE digest = $1', [
        digest(refreshToken),
      ])
      return rowCount > 0
    },
    async seed(sessions) {
      const tokens = Array.from({ length: sessions }, () => randomBytes(32).toString('base64url'))
      const until = new Date(Date.now() + 604_800_000)
      for (const token of tokens) await keep(token, randomUUID(), ['read', 'write'], until)
      return tokens
    },
  }
}

async function createPeople(pool, people) {
  const cost = { type: argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 }
  await pool.query(
    `INSERT INTO people SELECT gen_random_uuid(), 'bench-' || n, $1 FROM generate_series(1, $2) AS n`,
    [await hash('correct horse battery staple', cost), people],
  )
}
