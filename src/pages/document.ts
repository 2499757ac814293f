import { h, type VNode } from 'preact'
import { render } from 'preact-render-to-string'
import type { Context } from '../http/context.ts'
import { LookContext, themeOf } from './theme/theme.ts'

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
  ctx.body = htmlOf(ctx, page)
}

/** Renders a page in the theme of its server, with the logo of the client that the person came from. */
export function htmlOf(ctx: Context, page: VNode): string {
  const client: { id: string } | undefined = ctx.state.client
  const look = { theme: themeOf(ctx), clientId: client?.id }
  return `<!doctype html>${render(h(LookContext.Provider, { value: look }, page))}`
}
