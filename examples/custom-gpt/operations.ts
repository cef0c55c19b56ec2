// The table of the API's operations: the router and the OpenAPI document are both built from it.

import type { AccessGranted, ApiOperation } from 'gatehouse-auth'
import { analyzeResume, type Job, jobs, resumeOf, searchJobs } from './jobs.ts'

/** One call, its parameters read and its caller known where the operation has a scope. */
export interface Call {
  access: AccessGranted | undefined
  parameters: Record<string, string>
  body: Record<string, unknown>
  applications: Applications
}

/** What a call answers; `event` goes to the audit log. */
export interface Outcome {
  status?: number
  json: unknown
  event?: { type: 'job_search' | 'resume_analyze' | 'application_submitted'; facts: Record<string, unknown> }
}

export interface Operation extends ApiOperation {
  run(call: Call): Outcome
}

export interface Application {
  id: string
  job: string
  note: string
  sentAt: string
}

/** Kept in memory, so lost when the example ends. */
export class Applications {
  readonly #bySubject = new Map<string, Application[]>()
  #count = 0

  of(subject: string): readonly Application[] {
    return this.#bySubject.get(subject) ?? []
  }

  add(subject: string, job: string, note: string): Application {
    const made = { id: `application-${++this.#count}`, job, note, sentAt: new Date().toISOString() }
    this.#bySubject.set(subject, [...this.of(subject), made])
    return made
  }
}

const text = (description: string, more: object = {}) => ({ type: 'string', description, ...more })
const list = (items: object) => ({ type: 'array', items })
const object = (properties: Record<string, object>, required: string[] = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
})
const job = object({
  id: text('Name of the job in other operations'),
  title: text('Title'),
  company: text('Who hires'),
  location: text('City'),
  remote: { type: 'boolean' },
  salary: text('Yearly salary'),
  skills: list({ type: 'string' }),
  description: text('What the work is'),
})
const application = object({
  id: text('Name of the application'),
  job: text('The job'),
  note: text('What was sent with it'),
  sentAt: text('When', { format: 'date-time' }),
})

const notFound: Outcome = {
  status: 404,
  json: { error: 'not_found', message: 'There is no such job. Search first and use an id from the result.' },
}
const unclear = (message: string): Outcome => ({ status: 400, json: { error: 'invalid_request', message } })
const findJob = (id: unknown): Job | undefined => jobs.find((one) => one.id === id)

export const operations: readonly Operation[] = [
  {
    method: 'get',
    path: '/locations',
    id: 'listLocations',
    description: 'Lists the cities that have open jobs. Nobody has to be connected for this.',
    answer: object({ locations: list({ type: 'string' }) }),
    run: () => ({ json: { locations: [...new Set(jobs.map((one) => one.location))].sort() } }),
  },
  {
    method: 'get',
    path: '/jobs',
    id: 'searchJobs',
    description: 'Searches open jobs by words, city and remote work. Call it before talking about any job.',
    scope: ['jobs:read'],
    parameters: [
      {
        name: 'query',
        in: 'query',
        description: 'Words that all must occur, e.g. "typescript postgresql"',
        schema: { type: 'string' },
      },
      {
        name: 'location',
        in: 'query',
        description: 'City, as listLocations names it',
        schema: { type: 'string' },
      },
      {
        name: 'remote',
        in: 'query',
        description: 'true for remote work only',
        schema: { type: 'string', enum: ['true', 'false'] },
      },
      {
        name: 'limit',
        in: 'query',
        description: 'Most results; 10 if left out',
        schema: { type: 'integer', minimum: 1, maximum: 50 },
      },
    ],
    answer: object({ jobs: list(job) }),
    run({ parameters: { query, location, remote, limit = '10' } }) {
      if (!/^([1-9]|[1-4]\d|50)$/.test(limit)) return unclear('limit must be a whole number from 1 to 50.')
      if (remote !== undefined && remote !== 'true' && remote !== 'false')
        return unclear('remote must be true or false.')
      const found = searchJobs({
        query,
        location,
        limit: Number(limit),
        ...(remote === undefined ? {} : { remote: remote === 'true' }),
      })
      return {
        json: { jobs: found },
        event: { type: 'job_search', facts: { query: query?.slice(0, 200), found: found.length } },
      }
    },
  },
  {
    method: 'get',
    path: '/applications',
    id: 'listApplications',
    description: 'Lists the applications the user has sent through this board.',
    scope: ['applications:read'],
    answer: object({ applications: list(application) }),
    run: ({ access, applications }) => ({ json: { applications: applications.of(access!.subject) } }),
  },
  {
    method: 'post',
    path: '/applications',
    id: 'submitApplication',
    description:
      'Sends an application in the user’s name. It cannot be taken back: show the note and ask first.',
    scope: ['applications:write'],
    consequential: true,
    body: object({ job: text('Id of the job'), note: text('A note to the company, up to 2,000 characters') }),
    answer: object({ application }),
    run({ access, body, applications }) {
      const wanted = findJob(body['job'])
      if (!wanted) return notFound
      const note = body['note']
      if (typeof note !== 'string' || note.length > 2_000)
        return unclear('note must be a text of up to 2,000 characters.')
      if (applications.of(access!.subject).some((one) => one.job === wanted.id))
        return {
          status: 409,
          json: { error: 'already_applied', message: 'The user has applied for this job already.' },
        }
      const made = applications.add(access!.subject, wanted.id, note)
      return {
        status: 201,
        json: { application: made },
        event: { type: 'application_submitted', facts: { job: wanted.id } },
      }
    },
  },
  {
    method: 'post',
    path: '/resume/analysis',
    id: 'analyzeResume',
    description: 'Says how the user’s résumé fits a job: which of the wanted skills it names and which not.',
    scope: ['resume:read'],
    consequential: false,
    body: object(
      {
        job: text('Id of the job'),
        resume: text('A résumé to analyze instead of the one the user has uploaded'),
      },
      ['job'],
    ),
    answer: object({
      job: text('Id of the job'),
      score: { type: 'integer', description: 'Share of the wanted skills, in percent' },
      found: list({ type: 'string' }),
      missing: list({ type: 'string' }),
    }),
    run({ access, body }) {
      const wanted = findJob(body['job'])
      if (!wanted) return notFound
      const given = body['resume']
      if (given !== undefined && typeof given !== 'string') return unclear('resume must be a text.')
      const analysis = analyzeResume(given ?? resumeOf(access!.subject), wanted)
      return {
        json: analysis,
        event: { type: 'resume_analyze', facts: { job: wanted.id, score: analysis.score } },
      }
    },
  },
]
