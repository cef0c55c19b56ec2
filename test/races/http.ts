// Requests that arrive together: every connection is open and every request written up to its last byte before the
// first of those bytes leaves.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Shot {
  port: number
  method: 'GET' | 'POST'
  path: string
  headers?: Record<string, string>
  /** Sent as a form. */
  form?: Record<string, string>
  /** Sent as JSON. */
  json?: unknown
}

export interface Answer {
  status: number
  headers: Headers
  body: string
}

/** Sends all requests at one moment; the answers come in the order of the shots. */
export async function fireTogether(shots: readonly Shot[]): Promise<Answer[]> {
  const aimed = await Promise.all(shots.map(aim))
  for (const { socket, last } of aimed) socket.write(last)
  return Promise.all(aimed.map(({ answer }) => answer))
}

interface Aimed {
  socket: Socket
  last: Buffer
  answer: Promise<Answer>
}

async function aim(shot: Shot): Promise<Aimed> {
  const socket = connect({ port: shot.port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  const text = Buffer.from(requestText(shot))
  const answer = readAnswer(socket)
  // An answer that fails before it is awaited is still reported where it is awaited.
  answer.catch(() => {})
  await new Promise<void>((resolve) => socket.write(text.subarray(0, -1), () => resolve()))
  return { socket, last: text.subarray(-1), answer }
}

function requestText({ method, path, headers = {}, form, json }: Shot): string {
  const body = form ? new URLSearchParams(form).toString() : json ? JSON.stringify(json) : ''
  const type = form ? 'application/x-www-form-urlencoded' : 'application/json'
  const all: Record<string, string> = {
    host: '127.0.0.1',
    connection: 'close',
    ...(form || json ? { 'content-type': type, 'content-length': String(Buffer.byteLength(body)) } : {}),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`
}

async function readAnswer(socket: Socket): Promise<Answer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString('utf8')
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) throw new Error(`the connection ended without an answer, after ${text.length} bytes`)
  const [start, ...lines] = text.slice(0, end).split('\r\n')
  const headers = new Headers()
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim())
  }
  return { status: Number(start!.split(' ')[1]), headers, body: text.slice(end + 4) }
}
