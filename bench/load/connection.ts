// A keep-alive HTTP/1.1 client that spends as little as it can, so that the server is what is measured.
import { connect, type Socket } from 'node:net'

export type Answer = { status: number; location: string; nonce: string; body: string }

type Waiting = { resolve: (answer: Answer) => void; reject: (error: Error) => void }

/** One connection, one request at a time. Understands `Content-Length` and chunked bodies. */
export class Connection {
  readonly #socket: Socket
  #received = ''
  #waiting: Waiting | undefined

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.setEncoding('latin1')
    this.#socket.on('data', (chunk: string) => this.#accept(chunk))
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('close', () => this.#fail(new Error('the server closed the connection')))
  }

  /** Sends the bytes of one whole request and resolves with its answer. */
  send(request: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new Error('the connection is closed'))
      this.#waiting = { resolve, reject }
      this.#socket.write(request, 'latin1')
    })
  }

  close() {
    this.#socket.destroy()
  }

  #fail(error: Error) {
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }

  #accept(chunk: string) {
    this.#received = this.#received === '' ? chunk : this.#received + chunk
    const end = this.#received.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = this.#received.slice(0, end)
    const body = bodyOf(head, this.#received, end + 4)
    if (body === undefined) return
    const waiting = this.#waiting
    this.#waiting = undefined
    this.#received = ''
    waiting?.resolve({
      status: Number(head.slice(9, 12)),
      location: headerOf(head, 'location') ?? '',
      nonce: headerOf(head, 'dpop-nonce') ?? '',
      body,
    })
  }
}

function headerOf(head: string, name: string): string | undefined {
  const titled = name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
  for (const spelled of [name, titled]) {
    const start = head.indexOf(`\r\n${spelled}: `)
    if (start < 0) continue
    const end = head.indexOf('\r\n', start + 2)
    return head.slice(start + spelled.length + 4, end < 0 ? head.length : end)
  }
  return undefined
}

/** The body once it is whole, undefined while bytes are missing. */
function bodyOf(head: string, received: string, start: number): string | undefined {
  const length = headerOf(head, 'content-length')
  if (length !== undefined) {
    const end = start + Number(length)
    return received.length < end ? undefined : received.slice(start, end)
  }
  if (headerOf(head, 'transfer-encoding') !== 'chunked') return ''
  let body = ''
  for (let at = start; ; ) {
    const line = received.indexOf('\r\n', at)
    if (line < 0) return undefined
    const size = Number.parseInt(received.slice(at, line), 16)
    const next = line + 2 + size + 2
    if (received.length < next) return undefined
    if (size === 0) return body
    body += received.slice(line + 2, line + 2 + size)
    at = next
  }
}
