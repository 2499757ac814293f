import { z } from 'zod'
import type { AuditLog } from '../../audit/audit-log.ts'
import { type Operation, operation } from '../operation.ts'

const event = z
  .object({
    id: z.string(),
    at: z.iso.datetime(),
    event: z.string().meta({ example: 'session.reused' }),
    user_id: z.uuid().nullable(),
    client_id: z.string().nullable(),
    sid: z.uuid().nullable(),
    ip: z.string().nullable(),
    detail: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'AuditEvent' })

const query = z.strictObject({
  user_id: z.uuid().optional(),
  client_id: z.string().max(100).optional(),
  event: z.string().max(100).optional(),
  sid: z.uuid().optional(),
  from: z.iso.datetime().optional(),
  until: z.iso.datetime().optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  after: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional()
    .meta({ description: '`next` of the page before' }),
})

/** Security events, newest first. */
export const auditOperations = ({ audit }: { readonly audit: AuditLog }): Operation[] => [
  operation({
    method: 'get',
    path: '/api/v1/audit',
    tag: 'Administration: audit',
    summary: 'Security events, newest first',
    access: 'administrator',
    query,
    responses: {
      200: {
        description: 'A page',
        schema: z.object({ events: z.array(event), next: z.string().nullable() }),
      },
    },
    async handle({ query: filter }) {
      const found = await audit.page(
        {
          userId: filter.user_id,
          clientId: filter.client_id,
          event: filter.event,
          sid: filter.sid,
          from: filter.from === undefined ? undefined : new Date(filter.from),
          until: filter.until === undefined ? undefined : new Date(filter.until),
        },
        filter.limit,
        filter.after,
      )
      const next = found.length === filter.limit ? (found.at(-1)?.id ?? null) : null
      const events = found.map(({ at, ...one }) => ({ ...one, at: at.toISOString() }))
      return { status: 200, body: { events, next } }
    },
  }),
]
