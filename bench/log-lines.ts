import { RequestLog } from '../src/http/request-log.ts'
import { openLog } from '../src/telemetry/log.ts'
import { Metrics } from '../src/telemetry/metrics.ts'
import { spreadOf } from './statistics.ts'
import { table } from './table.ts'

/**
 * CPU time of the request log for one successful request: its id, its address, the metric, and the line, which
 * goes nowhere. Without and with LOG_SAMPLE.
 */
const requests = 50_000
const rounds = 15

const rows = [1, 0.01].map((sample) => {
  const log = openLog({ level: 'info', format: 'json', to: () => undefined })
  const own = new RequestLog({ log, metrics: new Metrics(), trustedProxies: [], sample })
  const request = { headers: {}, socket: { remoteAddress: '127.0.0.1' } } as never
  const run = () => {
    for (let count = 0; count < requests; count += 1) {
      const arrival = own.arrive(request)
      const facts = { clientId: 'app', grant: 'refresh_token' }
      const where = { route: '/oauth/token', method: 'POST', path: '/oauth/token' }
      own.leave({ arrival, ...where, status: 200, facts })
    }
  }
  run()
  const costs = Array.from({ length: rounds }, () => {
    const before = process.cpuUsage()
    run()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / requests
  })
  return [String(sample), spreadOf(costs).median.toFixed(2)]
})
process.stdout.write(`${table(['LOG_SAMPLE', 'µs of a core'], rows)}\n`)
