import type { VNode } from 'preact'
import { render } from 'preact-render-to-string'
import type { Context } from '../http/context.ts'

/** Nothing inline and nothing foreign: a page loads its own stylesheet, images and scripts. */
export const pagePolicy = policyWith("'self'")

function policyWith(formAction: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    `form-action ${formAction}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ')
}

/**
 * Answers with a page.
 * @param formAction where its form may lead: after the redirect of a form, browsers check the target as well
 */
export function sendPage(ctx: Context, status: number, page: VNode, formAction?: string): void {
  if (formAction !== undefined) {
    ctx.set('content-security-policy', policyWith(`'self' ${formAction}`))
  }
  ctx.status = status
  ctx.type = 'text/html; charset=utf-8'
  ctx.body = htmlOf(page)
}

export const htmlOf = (page: VNode): string => `<!doctype html>${render(page)}`
