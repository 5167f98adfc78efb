"""Lucene query strings against the hits that real Lucene 8.7, with Elasticsearch's rules, gave: $CASES/logs/lucene_cases.jsonl."""
import es


def query(case):
    options = {k: case[k] for k in ('default_operator', 'lenient', 'analyze_wildcard', 'phrase_slop') if k in case}
    return {'query_string': {'query': case['query'], 'default_field': case.get('default_field', 'message'), **options}}


es.run_hit_table('lucene_cases.jsonl', query)
