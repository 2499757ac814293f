import { QueueWorkers } from '../stores/queue-workers.ts'
import { failureMembers } from '../stores/unavailable.ts'
import { Delivery, type DeliveryDependencies } from './delivery.ts'
import type { Backlog } from './mail-queue.ts'

/*
 * The life of a mail: the use case writes a row in its own transaction, so a mail exists if and only if
 * the change was committed. A sender claims the row, commits, talks to the mail server, and records that
 * the server accepted the mail. The senders of all instances share the work; a claimed row is reserved
 * until its lease ends. A sender that dies before the server's 250 has sent nothing, and the mail goes
 * out after the lease. SMTP has no transaction that spans both sides: when the sender dies (or the
 * connection breaks) between the 250 and the record, the mail is sent twice, with the same Message-ID,
 * by which mailboxes can drop the second copy, and with the same link, so that either copy works.
 */

/** Mails sent at the same time, each on its own connection. */
const lanes = 4

/** Creates the sender of due mails. */
export function createMailSender(deps: DeliveryDependencies): QueueWorkers<Backlog> {
  const { queue, transport, log } = deps
  const delivery = new Delivery(deps)
  return new QueueWorkers({
    lanes,
    next: (onClaim) => delivery.next(onClaim),
    backlog: () => queue.backlog(),
    noBacklog: { waiting: 0, oldestSeconds: 0 },
    abort: () => transport.close(),
    onError: (error, task) => {
      const message = task === 'counting' ? 'counting the mails failed' : 'sending mail failed'
      log.error(failureMembers(error), message)
    },
  })
}
