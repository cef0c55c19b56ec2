/** The job board's own records. A real one would keep them in a database. */
export interface Job {
  id: string
  title: string
  company: string
  location: string
  remote: boolean
  salary: string
  skills: string[]
  description: string
}

const job = (
  id: string,
  title: string,
  company: string,
  location: string,
  remote: boolean,
  salary: string,
  skills: string,
  description: string,
): Job => ({ id, title, company, location, remote, salary, skills: skills.split(', '), description })

export const jobs: readonly Job[] = [
  job(
    'job-1',
    'Backend engineer',
    'Northwind Rail',
    'Hamburg',
    true,
    '€72,000–85,000',
    'typescript, postgresql, node.js, http',
    'Timetables for forty million passengers. You own the departures service, from schema to alert.',
  ),
  job(
    'job-2',
    'Frontend engineer',
    'Contoso Health',
    'Berlin',
    false,
    '€65,000–78,000',
    'typescript, react, css, accessibility',
    'Patient pages that everybody can use, with a keyboard, a screen reader or one hand.',
  ),
  job(
    'job-3',
    'Data engineer',
    'Harbour Analytics',
    'Rotterdam',
    true,
    '€70,000–90,000',
    'python, sql, airflow, postgresql',
    'Ship movements from two hundred ports, joined, cleaned and on time every morning.',
  ),
  job(
    'job-4',
    'Platform engineer',
    'Fabrikam Cloud',
    'Dublin',
    true,
    '€80,000–100,000',
    'go, kubernetes, terraform, linux',
    'A small team runs the clusters everybody else builds on. Pager duty one week in six.',
  ),
  job(
    'job-5',
    'Baker',
    'Mehl & Korn',
    'Leipzig',
    false,
    '€34,000–38,000',
    'sourdough, early mornings, hygiene',
    'Bread from grain we mill ourselves. Work begins at three and ends at eleven.',
  ),
  job(
    'job-6',
    'Technical writer',
    'Fabrikam Cloud',
    'Dublin',
    true,
    '€55,000–65,000',
    'writing, http, openapi, git',
    'Documentation that is tried out before it is published. Every example runs in CI.',
  ),
  job(
    'job-7',
    'Security engineer',
    'Contoso Health',
    'Berlin',
    true,
    '€78,000–95,000',
    'oauth, threat modelling, typescript, incident response',
    'Reviews before the design is final, exercises before the incident.',
  ),
  job(
    'job-8',
    'Nurse, night shift',
    'St. Anna Hospital',
    'Vienna',
    false,
    '€42,000–50,000',
    'nursing, intensive care, german',
    'Ten beds, two nurses, and a ward that hires enough people for it.',
  ),
  job(
    'job-9',
    'Machine learning engineer',
    'Harbour Analytics',
    'Rotterdam',
    false,
    '€75,000–95,000',
    'python, pytorch, sql, statistics',
    'Arrival times of ships, with honest error bars.',
  ),
  job(
    'job-10',
    'Support engineer',
    'Northwind Rail',
    'Hamburg',
    true,
    '€48,000–56,000',
    'linux, sql, writing, patience',
    'You answer the train drivers. They know the trains, you find out about the tablets.',
  ),
]

/** Jobs that hold every word of the query. */
export function searchJobs(asked: {
  query?: string
  location?: string
  remote?: boolean
  limit: number
}): Job[] {
  const words = (asked.query ?? '').toLowerCase().split(/\s+/).filter(Boolean)
  return jobs
    .filter((one) => {
      const text = [one.title, one.company, one.description, ...one.skills].join(' ').toLowerCase()
      return (
        words.every((word) => text.includes(word)) &&
        (asked.location === undefined || one.location.toLowerCase() === asked.location.toLowerCase()) &&
        (asked.remote === undefined || one.remote === asked.remote)
      )
    })
    .slice(0, asked.limit)
}

const sampleResume = `Six years of backend work. TypeScript and Node.js every day, PostgreSQL close to the metal, some Python.
Wrote the HTTP API of a ticket shop and its OpenAPI document. Linux at home and at work. German and English.`

/** The résumé a candidate uploaded; in this example every user has the same one. */
export function resumeOf(_subject: string): string {
  return sampleResume
}

/** How a résumé fits a job, by the skills it names. */
export function analyzeResume(resume: string, wanted: Job) {
  const text = resume.toLowerCase()
  const found = wanted.skills.filter((skill) => text.includes(skill))
  return {
    job: wanted.id,
    score: Math.round((100 * found.length) / wanted.skills.length),
    found,
    missing: wanted.skills.filter((skill) => !found.includes(skill)),
  }
}
