/** A form as a browser without scripts would send it. */
export interface Form {
  /** Absolute. */
  action: string
  method: 'GET' | 'POST'
  fields: Field[]
  buttons: Button[]
}

export interface Field {
  name: string
  value: string
  /** `text` where the markup names none. */
  type: string
  checked: boolean
}

export interface Button {
  name: string
  value: string
  text: string
}

export interface Link {
  /** Absolute. */
  url: string
  text: string
}

/** Forms, links and title of a page. */
export function readPage(html: string, url: string): { forms: Form[]; links: Link[]; title: string } {
  const forms: Form[] = []
  const links: Link[] = []
  let title = ''
  let form: Form | undefined
  for (const tag of tags(html)) {
    const { name, attributes } = tag
    if (name === 'title') title ||= tag.inner('title')
    else if (name === 'a' && attributes.has('href')) {
      const target = absolute(attributes.get('href')!, url)
      if (target !== undefined) links.push({ url: target, text: tag.inner('a') })
    } else if (name === 'form') {
      form = {
        action: absolute(attributes.get('action') || url, url) ?? url,
        method: attributes.get('method')?.toUpperCase() === 'POST' ? 'POST' : 'GET',
        fields: [],
        buttons: [],
      }
      forms.push(form)
    } else if (name === '/form') form = undefined
    else if (form) readControl(form, tag)
  }
  return { forms, links, title }
}

function readControl(form: Form, { name, attributes, inner }: Tag): void {
  const [field, value] = [attributes.get('name') ?? '', attributes.get('value') ?? '']
  const type = attributes.get('type')?.toLowerCase() ?? (name === 'button' ? 'submit' : 'text')
  if (name === 'button') {
    if (type === 'submit') form.buttons.push({ name: field, value, text: inner('button') })
  } else if (name === 'input') {
    if (type === 'submit' || type === 'image') form.buttons.push({ name: field, value, text: value })
    else if (field !== '' && type !== 'button' && type !== 'reset')
      form.fields.push({ name: field, value, type, checked: attributes.has('checked') })
  } else if (name === 'textarea' && field !== '') {
    form.fields.push({ name: field, value: inner('textarea'), type: 'text', checked: false })
  }
}

interface Tag {
  name: string
  attributes: Map<string, string>
  /** The words up to the closing tag of this name. */
  inner(name: string): string
}

function* tags(html: string): Generator<Tag> {
  const plain = html.replace(/<!--[\s\S]*?-->|<(script|style)\b[\s\S]*?<\/\1>/gi, '')
  for (const found of plain.matchAll(/<(\/?[a-z][a-z0-9]*)((?:"[^"]*"|'[^']*'|[^'">])*)>/gi)) {
    const after = found.index + found[0].length
    yield {
      name: found[1]!.toLowerCase(),
      attributes: attributesOf(found[2]!),
      inner(name) {
        const end = plain.toLowerCase().indexOf(`</${name}`, after)
        const text = plain.slice(after, end < 0 ? after : end).replace(/<[^>]*>/g, ' ')
        return decodeEntities(text).replace(/\s+/g, ' ').trim()
      },
    }
  }
}

function attributesOf(text: string): Map<string, string> {
  const attributes = new Map<string, string>()
  for (const [, name, double, single, bare] of text.matchAll(
    /([^\s"'=<>/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+)))?/g,
  )) {
    const key = name!.toLowerCase()
    if (!attributes.has(key)) attributes.set(key, decodeEntities(double ?? single ?? bare ?? ''))
  }
  return attributes
}

const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }

/** The text behind character references. */
export function decodeEntities(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]+));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return named[name.toLowerCase()] ?? whole
    const point = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole
  })
}

function absolute(address: string, base: string): string | undefined {
  return URL.canParse(address, base) ? new URL(address, base).href : undefined
}
