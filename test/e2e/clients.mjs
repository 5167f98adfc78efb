// One official client against a binnacle: node clients.mjs PACKAGE URL. Prints a line per step: "ok NAME" or "FAIL NAME: why"; exit 1 when one failed.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'

const [name, node] = process.argv.slice(2)
const { Client } = createRequire(process.cwd() + '/')(name)
const client = new Client({ node, maxRetries: 0 })
const wrapped = name === 'es7' || name === 'opensearch' // they take a body and answer {body, statusCode, ...}
const opensearch = name === 'opensearch'
const index = `clients-${name}`

// The same request in the manner of each: path and query parameters, and what goes into the body.
async function call (method, params = {}, body = null) {
  const [api, f] = method.includes('.') ? method.split('.') : [null, method]
  const target = api ? client[api] : client
  const all = body === null ? params : wrapped ? { ...params, body } : Array.isArray(body) ? { ...params, operations: body } : { ...params, ...body }
  const reply = await target[f](all)
  return wrapped ? reply.body : reply
}

async function refused (promise, status, type) {
  try {
    await promise
  } catch (e) {
    assert.equal(e.statusCode ?? e.meta?.statusCode, status, `${e}`)
    assert.equal((e.body ?? e.meta.body).error.type, type)
    return
  }
  assert.fail(`not refused with ${status}`)
}

const total = hits => hits.total.value ?? hits.total
const docs = Array.from({ length: 25 }, (_, i) => ({
  '@timestamp': new Date(Date.UTC(2026, 10, 22, 12, 0, i)).toISOString(), message: `line ${i} of the clients`, level: i % 5 ? 'info' : 'error', n: i
}))
const exact = { query: { term: { 'level.keyword': 'error' } } }

const steps = {
  async info () {
    const info = await call('info')
    assert.match(info.version.number, /^8\./)
    assert.equal(info.tagline, 'You Know, for Search')
  },
  async ping () {
    assert.equal(await call('ping'), true)
  },
  async 'indices.create, exists' () {
    assert.equal(await call('indices.exists', { index }), false)
    assert.equal((await call('indices.create', { index }, { mappings: { properties: { '@timestamp': { type: 'date' } } } })).acknowledged, true)
    assert.equal(await call('indices.exists', { index }), true)
    await refused(call('indices.create', { index }, {}), 400, 'resource_already_exists_exception')
  },
  async bulk () {
    const body = docs.flatMap((doc, i) => [{ [i % 2 ? 'create' : 'index']: { _index: index, _id: `id-${i}` } }, doc])
    const reply = await call('bulk', { refresh: true }, body)
    assert.equal(reply.errors, false)
    assert.deepEqual(reply.items.map(i => Object.values(i)[0].status), docs.map(() => 201))
    assert.equal(reply.items[1].create._id, 'id-1')
  },
  async 'bulk: update is an index, delete is refused' () {
    const reply = await call('bulk', {}, [{ update: { _index: `${index}-u`, _id: 'u' } }, { doc: { message: 'updated' }, doc_as_upsert: true },
      { delete: { _index: `${index}-u`, _id: 'u' } }])
    assert.equal(reply.errors, true)
    assert.equal(reply.items[0].update.status, 201)
    assert.equal(reply.items[1].delete.status, 400)
    assert.equal(reply.items[1].delete.error.type, 'unsupported_operation_exception')
  },
  async 'helpers.bulk' () {
    const seen = []
    const result = await client.helpers.bulk({
      datasource: docs.slice(0, 7), retries: 0, onDocument: () => ({ index: { _index: `${index}-helper` } }), onDrop: d => seen.push(d)
    })
    assert.deepEqual([result.successful, result.failed, seen.length], [7, 0, 0])
    assert.equal((await call('count', { index: `${index}-helper` })).count, 7)
  },
  async 'index, get, exists, source' () {
    const reply = await call('index', wrapped ? { index: `${index}-doc` } : { index: `${index}-doc`, document: { message: 'one', n: 1 } },
      wrapped ? { message: 'one', n: 1 } : null)
    assert.equal(reply.result, 'created')
    assert.match(reply._id, /^[\w-]{15,}$/)
    const got = await call('get', { index: `${index}-doc`, id: reply._id })
    assert.deepEqual([got.found, got._source.message], [true, 'one'])
    assert.equal(await call('exists', { index: `${index}-doc`, id: reply._id }), true)
    assert.equal(await call('exists', { index: `${index}-doc`, id: 'none' }), false)
    assert.equal((await call('getSource', { index: `${index}-doc`, id: reply._id })).n, 1)
  },
  async create () {
    const create = () => call('create', wrapped ? { index: `${index}-doc`, id: 'c' } : { index: `${index}-doc`, id: 'c', document: { message: 'c' } }, wrapped ? { message: 'c' } : null)
    assert.equal((await create()).result, 'created')
  },
  async mget () {
    const reply = await call('mget', { index }, { ids: ['id-1', 'nobody'] })
    assert.deepEqual(reply.docs.map(d => d.found), [true, false])
  },
  async search () {
    const reply = await call('search', { index }, { ...exact, sort: [{ '@timestamp': 'desc' }], size: 2, _source: ['n'] })
    assert.equal(total(reply.hits), 5)
    assert.deepEqual(reply.hits.hits.map(h => h._source), [{ n: 20 }, { n: 15 }])
  },
  async 'search: aggregations, highlight, track_total_hits, filter_path' () {
    const reply = await call('search', { index, size: 1, track_total_hits: true, filter_path: 'hits.total,aggregations' }, {
      query: { match: { message: 'clients' } }, aggs: { levels: { terms: { field: 'level.keyword' }, aggs: { top: { max: { field: 'n' } } } } }
    })
    assert.deepEqual(reply.aggregations.levels.buckets.map(b => [b.key, b.doc_count, b.top.value]), [['info', 20, 24], ['error', 5, 20]])
    assert.equal(reply.hits.hits, undefined)
  },
  async 'search_after' () {
    const seen = []
    let after
    for (let page = 0; page < 6; page++) {
      const reply = await call('search', { index }, { size: 7, sort: [{ '@timestamp': 'asc' }, { n: 'asc' }], ...(after ? { search_after: after } : {}) })
      if (reply.hits.hits.length === 0) break
      seen.push(...reply.hits.hits.map(h => h._source.n))
      after = reply.hits.hits.at(-1).sort
    }
    assert.deepEqual(seen, docs.map(d => d.n))
  },
  async scroll () {
    const seen = []
    for await (const doc of client.helpers.scrollDocuments({ index, size: 10, ...(wrapped ? { body: { sort: ['_doc'] } } : { sort: ['_doc'] }) })) seen.push(doc.n)
    assert.deepEqual(seen.sort((a, b) => a - b), docs.map(d => d.n))
  },
  async 'point in time' () {
    const pit = opensearch ? (await call('createPit', { index, keep_alive: '1m' })).pit_id : (await call('openPointInTime', { index, keep_alive: '1m' })).id
    assert.ok(pit)
    await call('bulk', {}, [{ index: { _index: index, _id: 'late' } }, { message: 'late', '@timestamp': '2026-11-22T11:00:00Z', n: 99 }])
    const reply = await call('search', {}, { size: 100, pit: { id: pit, keep_alive: '1m' }, sort: [{ '@timestamp': 'asc' }] })
    assert.equal(reply.hits.hits.length, docs.length)
    assert.ok(reply.pit_id)
    if (opensearch) assert.equal((await call('deletePit', {}, { pit_id: [pit] })).pits[0].successful, true)
    else assert.equal((await call('closePointInTime', {}, { id: pit })).succeeded, true)
  },
  async msearch () {
    const searches = [{ index }, exact, { index: 'nobody-has-this' }, {}, {}, { size: 0 }]
    const reply = await (wrapped ? client.msearch({ body: searches }).then(r => r.body) : client.msearch({ searches }))
    assert.deepEqual(reply.responses.map(r => r.status), [200, 404, 200])
    assert.equal(total(reply.responses[0].hits), 5)
  },
  async count () {
    assert.equal((await call('count', { index }, exact)).count, 5)
    assert.equal((await call('count', { index, q: 'level:info' })).count, 20)
  },
  async fieldCaps () {
    const reply = await call('fieldCaps', { index, fields: '*' })
    assert.equal(reply.fields['@timestamp'].date.type, 'date')
    assert.equal(reply.fields['@timestamp'].date.aggregatable, true)
    assert.ok(reply.fields.n.long)
  },
  async cat () {
    const rows = await call('cat.indices', { format: 'json', index: `${index}*` })
    assert.equal(rows.find(r => r.index === index)['docs.count'], '26')
    assert.equal((await call('cat.health', { format: 'json' }))[0].status, 'green')
    assert.equal((await call('cat.count', { format: 'json', index }))[0].count, '26')
    assert.ok((await call('cat.nodes', { format: 'json' }))[0].name)
    assert.equal(typeof await call('cat.indices', {}), 'string')
  },
  async cluster () {
    assert.equal((await call('cluster.health', { wait_for_status: 'yellow' })).status, 'green')
    assert.ok(Object.values((await call('nodes.info')).nodes)[0].version)
    assert.ok((await call('cluster.stats')).indices)
    assert.equal((await call('cluster.getSettings')).persistent !== undefined, true)
  },
  async 'mappings and settings' () {
    assert.equal((await call('indices.getMapping', { index }))[index].mappings.properties['@timestamp'].type, 'date')
    assert.equal((await call('indices.putMapping', { index }, { properties: { x: { type: 'keyword' } } })).acknowledged, true)
    assert.ok((await call('indices.getSettings', { index }))[index].settings.index)
    assert.equal((await call('indices.putSettings', { index }, wrapped ? { index: { refresh_interval: '5s' } } : { settings: { refresh_interval: '5s' } })).acknowledged, true)
    assert.ok((await call('indices.get', { index }))[index])
    assert.ok((await call('indices.stats', { index })).indices[index])
    assert.ok((await call('indices.getFieldMapping', { index, fields: 'n' }))[index].mappings.n)
  },
  async 'index templates are remembered' () {
    const body = { index_patterns: ['t-*'], template: { settings: { number_of_shards: 1 } }, priority: 7 }
    assert.equal(await call('indices.existsIndexTemplate', { name: `t-${name}` }), false)
    assert.equal((await call('indices.putIndexTemplate', { name: `t-${name}` }, body)).acknowledged, true)
    assert.equal(await call('indices.existsIndexTemplate', { name: `t-${name}` }), true)
    const got = await call('indices.getIndexTemplate', { name: `t-${name}` })
    assert.equal(got.index_templates[0].name, `t-${name}`)
    assert.deepEqual(got.index_templates[0].index_template.index_patterns, ['t-*'])
    assert.equal((await call('indices.deleteIndexTemplate', { name: `t-${name}` })).acknowledged, true)
    await refused(call('indices.getIndexTemplate', { name: `t-${name}` }), 404, 'resource_not_found_exception')
  },
  async 'old templates, component templates, pipelines, policies are remembered' () {
    await call('indices.putTemplate', { name: `o-${name}` }, { index_patterns: ['o-*'], order: 1, settings: {}, mappings: {} })
    assert.deepEqual((await call('indices.getTemplate', { name: `o-${name}` }))[`o-${name}`].index_patterns, ['o-*'])
    assert.equal(await call('indices.existsTemplate', { name: `o-${name}` }), true)
    assert.equal(await call('indices.existsTemplate', { name: 'nobody' }), false)
    await call('cluster.putComponentTemplate', { name: `c-${name}` }, { template: { mappings: {} } })
    assert.equal((await call('cluster.getComponentTemplate', { name: `c-${name}` })).component_templates[0].name, `c-${name}`)
    await call('ingest.putPipeline', { id: `p-${name}` }, { description: 'd', processors: [] })
    assert.equal((await call('ingest.getPipeline', { id: `p-${name}` }))[`p-${name}`].description, 'd')
    if (opensearch) return
    await call('ilm.putLifecycle', name === 'es7' ? { policy: `l-${name}` } : { name: `l-${name}` }, { policy: { phases: { hot: { actions: {} } } } })
    assert.ok((await call('ilm.getLifecycle', name === 'es7' ? { policy: `l-${name}` } : { name: `l-${name}` }))[`l-${name}`].policy.phases.hot)
  },
  async aliases () {
    assert.equal((await call('indices.updateAliases', {}, { actions: [{ add: { index, alias: `a-${name}` } }] })).acknowledged, true)
    assert.ok(await call('indices.getAlias', {}))
    assert.equal(await call('indices.existsAlias', { name: 'nobody-has-this' }), false)
  },
  async 'errors have their types' () {
    await refused(call('search', { index: 'nobody-has-this' }, {}), 404, 'index_not_found_exception')
    await refused(call('search', { index }, { query: { nonsense: {} } }), 400, 'parsing_exception')
    await refused(call('deleteByQuery', { index }, { query: { match_all: {} } }), 400, 'unsupported_operation_exception')
    await refused(call('delete', { index, id: 'id-1' }), 400, 'unsupported_operation_exception')
    await refused(call('bulk', {}, [{ nonsense: {} }]), 400, 'illegal_argument_exception')
  },
  async 'update is an index of the whole document' () {
    const reply = await call('update', { index: `${index}-u`, id: 'up' }, { doc: { message: 'whole' }, doc_as_upsert: true })
    assert.ok(['created', 'updated'].includes(reply.result))
    assert.equal((await call('get', { index: `${index}-u`, id: 'up' }))._source.message, 'whole')
  },
  async 'indices.refresh, flush, delete' () {
    assert.ok((await call('indices.refresh', { index }))._shards)
    assert.ok((await call('indices.flush', { index }))._shards)
    await call('indices.create', { index: `${index}-empty` }, {})
    assert.equal((await call('indices.delete', { index: `${index}-empty` })).acknowledged, true)
    assert.equal(await call('indices.exists', { index: `${index}-empty` }), false)
    await refused(call('indices.delete', { index: `${index}-helper` }), 501, 'unsupported_operation_exception')
  },
  async license () {
    if (opensearch) return
    assert.equal((await call('license.get')).license.status, 'active')
    assert.ok(await call('xpack.info'))
  }
}

let failed = 0
for (const [what, step] of Object.entries(steps)) {
  try {
    await step()
    console.log(`ok ${what}`)
  } catch (e) {
    failed++
    const meta = e.meta?.body ?? e.body
    console.log(`FAIL ${what}: ${String(e.message).split('\n').slice(0, 12).join(' | ')} ${meta ? JSON.stringify(meta).slice(0, 300) : ''}`)
  }
}
process.exit(failed ? 1 : 0)
