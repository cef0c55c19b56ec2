export default function Page() {
  return <main>A job board</main>
}
