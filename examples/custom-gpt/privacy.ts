/** ChatGPT shows the URL of such a page with every public GPT. Write your own; this one describes the example. */
export function privacyPage(): Response {
  return new Response(
    `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Privacy – Job board</title>
<h1>Privacy</h1>
<p>When you connect ChatGPT, it may do what you allowed on the page before: search jobs, see or send applications, compare your résumé with a job.</p>
<h2>What is kept</h2>
<p>Your searches and analyses with their time, the address the call came from, and the name ChatGPT gives the conversation. Applications you send go to the company.</p>
<h2>What is passed on</h2>
<p>ChatGPT gets the answers to its calls. Your password never reaches it.</p>
<h2>How to end it</h2>
<p>Disconnect ChatGPT under <a href="/account/apps">connected apps</a>. Its access ends at once.</p>
</html>`,
    { headers: { 'content-type': 'text/html; charset=utf-8' } },
  )
}
