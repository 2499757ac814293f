import { program } from './debian-program.ts'

/** The path of a Redis (or Valkey) server on this machine; as root on Debian it is installed first. */
export function redisProgram(say: (line: string) => void): string {
  const found = program(['redis-server', 'valkey-server'], 'redis-server', say)
  if (found) return found
  throw new Error(
    'The tests need a Redis: install redis-server or valkey-server (apt-get install redis-server, ' +
      'brew install redis), or set REDIS_URL to one that the tests may flush',
  )
}
