"""KQL against $CASES/logs/kql_cases.jsonl."""
import es

es.run_hit_table('kql_cases.jsonl', lambda case: {'kql': {'query': case['query']}})
