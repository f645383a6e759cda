// client.js BOOTSTRAP: kafkajs, its producer and its admin client (its consumer needs groups); tasks on stdin:
// see ../README. Only gzip comes with kafkajs; the other codecs are plugged in as its documentation says.
'use strict'

const fs = require('fs')
const readline = require('readline')
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = require('kafkajs')
const snappy = require('snappyjs')
const { ZstdCodec } = require('zstd-codec')

const kafka = new Kafka({ brokers: [process.argv[2]], logLevel: logLevel.NOTHING })

const zstd = new Promise(resolve => ZstdCodec.run(z => resolve(new z.Simple())))
const plug = compress => () => ({ compress: async encoder => Buffer.from(await compress(encoder.buffer)) })
CompressionCodecs[CompressionTypes.Snappy] = plug(b => snappy.compress(b))
CompressionCodecs[CompressionTypes.ZSTD] = plug(async b => (await zstd).compress(b))
const CODECS = { none: 'None', gzip: 'GZIP', snappy: 'Snappy', zstd: 'ZSTD' }

const data = field => (field === '-' ? null : field === '.' ? Buffer.alloc(0) : Buffer.from(field, 'base64'))

function record(line) {
  const [partition, timestamp, key, value, heads] = line.split(' ')
  const headers = {}
  for (const h of heads === '.' ? [] : heads.split(';')) {
    const [name, v] = h.split(':').map(data)
    if (!(name in headers)) headers[name] = v
    else headers[name] = [].concat(headers[name], v) // a name that comes twice has a list
  }
  return { partition: Number(partition), timestamp, key: data(key), value: data(value), headers }
}

async function send(topic, codec, file) {
  const messages = fs.readFileSync(file, 'utf8').trimEnd().split('\n').map(record)
  const producer = kafka.producer()
  await producer.connect()
  const told = await producer.send({ topic, messages, acks: -1, compression: CompressionTypes[CODECS[codec]] })
  await producer.disconnect()
  // told is the first offset of each partition's batch, no offset for each record
  const next = Object.fromEntries(told.map(t => [t.partition, Number(t.baseOffset)]))
  return messages.map(m => `${m.partition} ${next[m.partition]++}`)
}

async function times(topic, ...timestamps) {
  const admin = kafka.admin()
  await admin.connect()
  const lines = []
  const ends = await admin.fetchTopicOffsets(topic)
  for (const t of timestamps) {
    const found = await admin.fetchTopicOffsetsByTimestamp(topic, Number(t))
    for (const { partition, offset } of found.sort((a, b) => a.partition - b.partition)) {
      // where there is none it gives the end
      const end = ends.find(e => e.partition === partition).high
      lines.push(`${partition} ${t} ${offset === end ? -1 : offset}`)
    }
  }
  await admin.disconnect()
  return lines
}

async function described(admin, topic) {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  return topics[0].partitions.sort((a, b) => a.partitionId - b.partitionId)
    .map(p => `${p.partitionId} leader ${p.leader} replicas [${p.replicas}] isr [${p.isr}]`)
}

async function configs(admin, topic) {
  const configNames = ['retention.ms', 'segment.bytes', 'max.message.bytes']
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames }],
  })
  return configNames.map(n => `${n}=${resources[0].configEntries.find(e => e.configName === n).configValue}`)
}

const entries = o => Object.entries(o).map(([name, value]) => ({ name, value }))

const THINGS = {
  async create(admin, topic) {
    const topics = [{
      topic, numPartitions: 2, replicationFactor: 1,
      configEntries: entries({ 'retention.ms': '12345678', 'segment.bytes': '1048576' }),
    }]
    if (!(await admin.createTopics({ topics }))) throw new Error('not made')
    // the client makes false of error 36
    return (await admin.createTopics({ topics })) ? ['made again'] : ['create again: error 36']
  },
  describe: described,
  async partitions(admin, topic) {
    await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
    return described(admin, topic)
  },
  async configs(admin, topic) {
    const before = await configs(admin, topic)
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{
        type: ConfigResourceTypes.TOPIC, name: topic,
        configEntries: entries({ 'retention.ms': '23456789', 'segment.bytes': '1048576' }),
      }],
    })
    return [...before, ...(await configs(admin, topic))]
  },
  async cluster(admin) {
    const { brokers, controller } = await admin.describeCluster()
    return [`controller ${controller}`, ...brokers.map(b => `node ${b.nodeId} ${b.host}:${b.port}`)]
  },
  async delete(admin, topic) {
    await admin.deleteTopics({ topics: [topic] })
    return [(await admin.listTopics()).includes(topic) ? 'listed' : 'gone']
  },
}

async function administer(topic, ...things) {
  const admin = kafka.admin()
  await admin.connect()
  const lines = []
  for (const thing of things) lines.push(...(await THINGS[thing](admin, topic)))
  await admin.disconnect()
  return lines
}

async function trim(topic, to) {
  const admin = kafka.admin()
  await admin.connect()
  await admin.fetchTopicOffsets(topic) // or it does not know the topic
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: to }] })
  const [{ low, high }] = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  // the low watermark of the answer is not given to the caller
  return [`low ${to}`, `start ${low}`, `end ${high}`]
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [task, ...w] = line.split(' ')
    try {
      const lines = task === 'send' ? await send(...w)
        : await { times, admin: administer, trim }[task](...w.slice(1))
      fs.writeFileSync(task === 'send' ? w[3] : w[0], lines.join('\n') + '\n')
      console.log(`ok ${line}`)
    } catch (e) {
      console.error(e)
      console.log(`not ok ${line}: ${e}`)
    }
  }
}

main().then(() => process.exit(0)) // what has failed may have left a connection
