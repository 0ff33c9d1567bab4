// Drives supabase-js for the tests: one JSON command per line on stdin, one JSON event per line out.
// arguments: base URL, publishable key
import { createInterface } from 'node:readline'
import { createClient } from '@supabase/supabase-js'

const [url, key] = process.argv.slice(2)
let token = null
const supabase = createClient(url, key, { accessToken: async () => token ?? key })
const channels = new Map()
const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`)

const commands = {
  async auth({ token: value }) {
    token = value
    await supabase.realtime.setAuth(value)
    say({ kind: 'auth' })
  },
  async subscribe({ topic, config }) {
    const channel = supabase.channel(topic, { config: { private: true, ...config } })
    channels.set(topic, channel)
    channel.on('broadcast', { event: '*' }, (m) => say({ kind: 'broadcast', topic, ...m }))
    if (config?.presence) {
      channel.on('presence', { event: 'sync' }, () =>
        say({ kind: 'presence', topic, state: channel.presenceState() }))
    }
    channel.on('system', {}, (m) => say({ kind: 'system', topic, ...m }))
    channel.subscribe((status, error) =>
      say({ kind: 'status', topic, status, error: error?.message ?? null }))
  },
  async send({ topic, event, payload }) {
    const answer = await channels.get(topic).send({ type: 'broadcast', event, payload })
    say({ kind: 'sent', answer })
  },
  async httpSend({ topic, event, payload }) {
    const done = channels.get(topic).httpSend(event, payload)
    say(await done.then(() => ({ kind: 'http', error: null }),
      (error) => ({ kind: 'http', error: error.message })))
  },
  async track({ topic, payload }) {
    say({ kind: 'tracked', answer: await channels.get(topic).track(payload) })
  },
  async leave({ topic }) {
    say({ kind: 'left', answer: await supabase.removeChannel(channels.get(topic)) })
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...rest } = JSON.parse(line)
  await commands[name](rest)
}
process.exit(0)
