import type { Config } from '../config/config.ts'
import type { Log } from '../telemetry/log.ts'
import type { Tracer } from '../telemetry/spans.ts'

/** The longest that one export takes. */
const mostExportSeconds = 5
/** For the rest of a shutdown, which waits for the last export. */
const restSeconds = 1

/** How long an export may take. The last one must end within the time of a shutdown. */
const exportSecondsOf = ({ SHUTDOWN_SECONDS }: Config): number =>
  Math.min(mostExportSeconds, Math.max(1, SHUTDOWN_SECONDS - restSeconds))

/** How long a shutdown waits for the last spans. */
export const closingSecondsOf = (config: Config): number => exportSecondsOf(config) + restSeconds

/** Loads OpenTelemetry only here: an installation without a collector runs none of its code. */
export async function openTracer(
  config: Config,
  log: Log,
  worker?: number,
): Promise<Tracer | undefined> {
  const endpoint = config.OTEL_EXPORTER_OTLP_ENDPOINT
  if (endpoint === undefined || config.OTEL_TRACES_SAMPLER === 'always_off') return undefined
  const { openTracer: open } = await import('../telemetry/tracer.ts')
  return open({
    endpoint,
    headers: config.OTEL_EXPORTER_OTLP_HEADERS,
    serviceName: config.OTEL_SERVICE_NAME,
    sampler: config.OTEL_TRACES_SAMPLER,
    ratio: config.OTEL_TRACES_SAMPLER_ARG,
    exportSeconds: exportSecondsOf(config),
    worker,
    log,
  })
}
