"""REST steps that also run against real Elasticsearch: $SHARED/cases/logs/es_api_cases.jsonl. What differs on purpose is listed with its reason."""
import gzip
import json
import os
import urllib.parse

import bn
import es

# Elasticsearch gives these answers because an index had an explicit mapping; binnacle maps by what the documents hold.
MAPPING = 'needs an explicit mapping: %s'
EXPECTED = {
}


def fits(expected, got, val=None):
    """expected is a part of got; {"$expect": expression over val}."""
    if isinstance(expected, dict):
        if '$expect' in expected and not eval(expected['$expect'], {'val': got, 'len': len}):  # an expression of the table, trusted as code is
            return False
        return all(isinstance(got, dict) and k in got and fits(v, got[k]) for k, v in expected.items() if k != '$expect')
    if isinstance(expected, list):
        return isinstance(got, list) and len(got) >= len(expected) and all(fits(e, g) for e, g in zip(expected, got))
    return expected == got


def fill_in(value, previous):
    if isinstance(value, dict):
        if '$previous' in value:
            return eval(value['$previous'], {'val': previous})
        return {k: fill_in(v, previous) for k, v in value.items()}
    return [fill_in(v, previous) for v in value] if isinstance(value, list) else value


def send(server, case, method, previous):
    url = server.url + '/' + case['endpoint'].lstrip('/')
    if case.get('params'):
        flat = {k: ','.join(v) if isinstance(v, list) else v for k, v in case['params'].items()}
        url += ('&' if '?' in url else '?') + urllib.parse.urlencode(flat)
    headers = dict(case.get('headers', {}))
    headers.setdefault('Content-Type', 'application/json')
    body = None
    if 'json' in case:
        body = json.dumps(fill_in(case['json'], previous))
    if 'ndjson' in case:
        body = ''.join(json.dumps(line) + '\n' for line in case['ndjson'])
    if 'body_from_file' in case:
        with open(os.path.join(bn.SHARED, 'cases/logs', case['body_from_file']), 'rb') as f:
            body = f.read()
    elif headers.get('content-encoding') == 'gzip':
        body = gzip.compress(body.encode())
    return bn.call(url, method, body, headers)


def run_group(steps, report):
    with bn.Server() as server:
        for case in sorted(steps, key=lambda c: not c['setup']):
            for method in case['methods']:
                previous = report['previous']
                reply = send(server, case, method, previous)
                try:
                    got = reply.json
                except ValueError:
                    got = None
                report['previous'] = got
                if case['setup']:
                    continue
                good = ('status' not in case or reply.status == case['status']) and ('expected' not in case or fits(case['expected'], got))
                if good:
                    report['passed'] += 1
                elif case['id'] in EXPECTED:
                    report['explained'] += 1
                else:
                    report['failed'] += 1
                    print('%s %s %s: expected %s %s\n    got %d %s' % (case['id'], method, case['endpoint'], case.get('status'), json.dumps(case.get('expected'))[:300],
                                                                   reply.status, reply.text[:500]))


groups = {}
for case in es.cases('es_api_cases.jsonl'):
    groups.setdefault(case['id'].split('/')[0] if '/' in case['id'] else '', []).append(case)
report = {'passed': 0, 'failed': 0, 'explained': 0, 'previous': None}
for name in sorted(groups):
    run_group(groups[name], report)
for id, reason in EXPECTED.items():
    print('differs on purpose: %s: %s' % (id, reason))
print('es_api_cases.jsonl: %(passed)d pass, %(failed)d fail, %(explained)d differ with a reason' % report)
raise SystemExit(report['failed'] > 0)
