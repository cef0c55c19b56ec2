/** Small line drawings; all decorative, the words beside them say the same. */
import { type Html, trusted } from '../http/html.ts'

function icon(size: number, paths: string, width = 1.6): Html {
  return trusted(
    `<svg aria-hidden="true" width="${size}" height="${size}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="${width}" stroke-linecap="round" stroke-linejoin="round">${paths}</svg>`,
  )
}

const gatePaths =
  '<path d="M3.5 21V10.5a8.5 8.5 0 0 1 17 0V21M8 21v-9.5a4 4 0 0 1 8 0V21M2 21h20M12 7.5v13"/>'

export const gate = icon(26, gatePaths, 1.9)
export const check = icon(16, '<path d="m4.5 12.5 5 5 10-11"/>', 2.4)
export const clock = icon(16, '<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3.5 2"/>', 2)
export const warning = icon(20, '<path d="M12 4 2.8 19.5h18.4L12 4Z"/><path d="M12 10v4.2M12 16.9v.1"/>', 1.9)
export const alert = icon(20, '<circle cx="12" cy="12" r="9"/><path d="M12 7.5v5.2M12 16.2v.1"/>', 1.9)
export const tick = icon(20, '<circle cx="12" cy="12" r="9"/><path d="m8 12.3 2.8 2.8 5.2-5.8"/>', 1.9)
export const arrows = icon(22, '<path d="M4 9h15l-3.5-3.5M20 15H5l3.5 3.5"/>')
export const plugs = icon(40, '<path d="M9 3v5M15 3v5M6.5 8h11v3.5a5.5 5.5 0 0 1-11 0V8ZM12 17v4"/>', 1.3)
export const plug = icon(22, '<path d="M9 3v5M15 3v5M6.5 8h11v3.5a5.5 5.5 0 0 1-11 0V8ZM12 17v4"/>')
export const person = icon(22, '<circle cx="12" cy="8" r="4"/><path d="M4.5 20.5a7.5 7.5 0 0 1 15 0"/>')
export const screen = icon(
  22,
  '<rect x="3" y="4.5" width="18" height="12" rx="2"/><path d="M8.5 20h7M12 16.5V20"/>',
)
export const chevron = icon(18, '<path d="m9 5 7 7-7 7"/>', 2)

/** The tab's icon when the branding has no logo; a middle green that shows on light and dark tabs. */
export const favicon = `data:image/svg+xml,${encodeURIComponent(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#2f8f70" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round">${gatePaths}</svg>`,
)}`
