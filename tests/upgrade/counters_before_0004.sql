-- The functions that counted jobs before migration 0004_counters, as databases that were migrated step by step have them.

CREATE OR REPLACE FUNCTION instances_count_groupload()
 RETURNS TABLE("group" bigint, jobs_total bigint, jobs_running bigint, impact bigint)
 LANGUAGE sql
 STABLE
AS $function$
    WITH changes AS (
    SELECT 1 AS sign, CASE WHEN status IN ('running', 'waiting') THEN 1 ELSE 0 END AS active,
           execution_node, controller_node, instance_group_id, status, launch_type, task_impact
    FROM instances_unifiedjob
) 
    SELECT instance_group_id AS "group", sum(sign) AS jobs_total, sum(active) AS jobs_running,
           sum(active * task_impact::bigint)::bigint AS impact
    FROM changes WHERE instance_group_id IS NOT NULL
    GROUP BY instance_group_id
    HAVING sum(sign) <> 0 OR sum(active) <> 0 OR sum(active * task_impact::bigint) <> 0

$function$
;

CREATE OR REPLACE FUNCTION instances_count_jobcount()
 RETURNS TABLE(node character varying, status character varying, launch_type character varying, jobs bigint)
 LANGUAGE sql
 STABLE
AS $function$
    WITH changes AS (
    SELECT 1 AS sign, CASE WHEN status IN ('running', 'waiting') THEN 1 ELSE 0 END AS active,
           execution_node, controller_node, instance_group_id, status, launch_type, task_impact
    FROM instances_unifiedjob
) 
    SELECT execution_node AS node, status, launch_type, sum(sign) AS jobs
    FROM changes
    GROUP BY execution_node, status, launch_type
    HAVING sum(sign) <> 0

$function$
;

CREATE OR REPLACE FUNCTION instances_count_nodeload()
 RETURNS TABLE(node character varying, jobs_total bigint, jobs_running bigint, impact bigint, jobs_controlled bigint)
 LANGUAGE sql
 STABLE
AS $function$
    WITH changes AS (
    SELECT 1 AS sign, CASE WHEN status IN ('running', 'waiting') THEN 1 ELSE 0 END AS active,
           execution_node, controller_node, instance_group_id, status, launch_type, task_impact
    FROM instances_unifiedjob
) 
    SELECT node, sum(total) AS jobs_total, sum(running) AS jobs_running, sum(impact)::bigint AS impact,
           sum(controlled) AS jobs_controlled
    FROM (
        SELECT execution_node AS node, sign AS total, active AS running, active * task_impact::bigint AS impact,
               0 AS controlled
        FROM changes WHERE execution_node <> ''
        UNION ALL
        SELECT controller_node, 0, 0, 0, active FROM changes WHERE controller_node <> '' AND active <> 0
    ) AS parts
    GROUP BY node
    HAVING sum(total) <> 0 OR sum(running) <> 0 OR sum(impact) <> 0 OR sum(controlled) <> 0

$function$
;

CREATE OR REPLACE FUNCTION instances_counting_slot()
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
DECLARE
    slot integer := 0;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        slot := -pg_backend_pid();
        PERFORM pg_advisory_xact_lock(5733285, slot);
        RETURN slot;
    END IF;
    WHILE NOT pg_try_advisory_xact_lock(5733285, slot) LOOP
        slot := slot + 1;
    END LOOP;
    RETURN slot;
END $function$
;

CREATE OR REPLACE FUNCTION instances_fold_loads()
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
DECLARE
    mine integer;
    free integer[];
BEGIN
    LOCK TABLE instances_unifiedjob IN ROW EXCLUSIVE MODE;  -- as in 0006
    mine := instances_counting_slot();
    WITH slots AS MATERIALIZED (SELECT slot FROM instances_nodeload WHERE slot IS NOT NULL UNION SELECT slot FROM instances_groupload WHERE slot IS NOT NULL UNION SELECT slot FROM instances_jobcount WHERE slot IS NOT NULL ORDER BY slot DESC)
    SELECT array_agg(slot) INTO free
    FROM (SELECT slot FROM slots WHERE pg_try_advisory_xact_lock(5733285, slot) LIMIT 1000) AS batch;
    
    WITH several AS (
        SELECT node FROM instances_nodeload WHERE slot = ANY (free)
        GROUP BY node HAVING count(*) > 1 OR min(slot) < 0 OR NOT (sum(jobs_total) <> 0 OR sum(jobs_running) <> 0 OR sum(impact) <> 0 OR sum(jobs_controlled) <> 0)
    ),
    gone AS (DELETE FROM instances_nodeload WHERE slot = ANY (free) AND (node) IN (SELECT * FROM several) RETURNING *)
    INSERT INTO instances_nodeload (slot, node, jobs_total, jobs_running, impact, jobs_controlled)
    SELECT mine, node, sum(jobs_total), sum(jobs_running), sum(impact), sum(jobs_controlled) FROM gone GROUP BY node HAVING sum(jobs_total) <> 0 OR sum(jobs_running) <> 0 OR sum(impact) <> 0 OR sum(jobs_controlled) <> 0;
    WITH several AS (
        SELECT "group" FROM instances_groupload WHERE slot = ANY (free)
        GROUP BY "group" HAVING count(*) > 1 OR min(slot) < 0 OR NOT (sum(jobs_total) <> 0 OR sum(jobs_running) <> 0 OR sum(impact) <> 0)
    ),
    gone AS (DELETE FROM instances_groupload WHERE slot = ANY (free) AND ("group") IN (SELECT * FROM several) RETURNING *)
    INSERT INTO instances_groupload (slot, "group", jobs_total, jobs_running, impact)
    SELECT mine, "group", sum(jobs_total), sum(jobs_running), sum(impact) FROM gone GROUP BY "group" HAVING sum(jobs_total) <> 0 OR sum(jobs_running) <> 0 OR sum(impact) <> 0;
    WITH several AS (
        SELECT node, status, launch_type FROM instances_jobcount WHERE slot = ANY (free)
        GROUP BY node, status, launch_type HAVING count(*) > 1 OR min(slot) < 0 OR NOT (sum(jobs) <> 0)
    ),
    gone AS (DELETE FROM instances_jobcount WHERE slot = ANY (free) AND (node, status, launch_type) IN (SELECT * FROM several) RETURNING *)
    INSERT INTO instances_jobcount (slot, node, status, launch_type, jobs)
    SELECT mine, node, status, launch_type, sum(jobs) FROM gone GROUP BY node, status, launch_type HAVING sum(jobs) <> 0;
    RETURN coalesce(cardinality(free), 0) = 1000;
END $function$
;

CREATE OR REPLACE FUNCTION instances_jobs_delete()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
DECLARE
    mine integer := instances_counting_slot();
BEGIN
    WITH changes AS MATERIALIZED (
    SELECT -1 AS sign, CASE WHEN status IN ('running', 'waiting') THEN -1 ELSE 0 END AS active,
           execution_node, controller_node, instance_group_id, status, launch_type, task_impact
    FROM old_rows
),
    of_nodes AS (
    INSERT INTO instances_nodeload AS kept (slot, node, jobs_total, jobs_running, impact, jobs_controlled)
    SELECT mine, node, jobs_total, jobs_running, impact, jobs_controlled FROM (
    SELECT node, sum(total) AS jobs_total, sum(running) AS jobs_running, sum(impact)::bigint AS impact,
           sum(controlled) AS jobs_controlled
    FROM (
        SELECT execution_node AS node, sign AS total, active AS running, active * task_impact::bigint AS impact,
               0 AS controlled
        FROM changes WHERE execution_node <> ''
        UNION ALL
        SELECT controller_node, 0, 0, 0, active FROM changes WHERE controller_node <> '' AND active <> 0
    ) AS parts
    GROUP BY node
    HAVING sum(total) <> 0 OR sum(running) <> 0 OR sum(impact) <> 0 OR sum(controlled) <> 0
) AS sums
    ON CONFLICT (node, slot) DO UPDATE SET jobs_total = kept.jobs_total + EXCLUDED.jobs_total, jobs_running = kept.jobs_running + EXCLUDED.jobs_running, impact = kept.impact + EXCLUDED.impact, jobs_controlled = kept.jobs_controlled + EXCLUDED.jobs_controlled),
    of_groups AS (
    INSERT INTO instances_groupload AS kept (slot, "group", jobs_total, jobs_running, impact)
    SELECT mine, "group", jobs_total, jobs_running, impact FROM (
    SELECT instance_group_id AS "group", sum(sign) AS jobs_total, sum(active) AS jobs_running,
           sum(active * task_impact::bigint)::bigint AS impact
    FROM changes WHERE instance_group_id IS NOT NULL
    GROUP BY instance_group_id
    HAVING sum(sign) <> 0 OR sum(active) <> 0 OR sum(active * task_impact::bigint) <> 0
) AS sums
    ON CONFLICT ("group", slot) DO UPDATE SET jobs_total = kept.jobs_total + EXCLUDED.jobs_total, jobs_running = kept.jobs_running + EXCLUDED.jobs_running, impact = kept.impact + EXCLUDED.impact)
    
    INSERT INTO instances_jobcount AS kept (slot, node, status, launch_type, jobs)
    SELECT mine, node, status, launch_type, jobs FROM (
    SELECT execution_node AS node, status, launch_type, sum(sign) AS jobs
    FROM changes
    GROUP BY execution_node, status, launch_type
    HAVING sum(sign) <> 0
) AS sums
    ON CONFLICT (node, status, launch_type, slot) DO UPDATE SET jobs = kept.jobs + EXCLUDED.jobs;
    RETURN NULL;
END $function$
;

CREATE OR REPLACE FUNCTION instances_jobs_insert()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
DECLARE
    mine integer := instances_counting_slot();
BEGIN
    WITH changes AS MATERIALIZED (
    SELECT 1 AS sign, CASE WHEN status IN ('running', 'waiting') THEN 1 ELSE 0 END AS active,
           execution_node, controller_node, instance_group_id, status, launch_type, task_impact
    FROM new_rows
),
    of_nodes AS (
    INSERT INTO instances_nodeload AS kept (slot, node, jobs_total, jobs_running, impact, jobs_controlled)
    SELECT mine, node, jobs_total, jobs_running, impact, jobs_controlled FROM (
    SELECT node, sum(total) AS jobs_total, sum(running) AS jobs_running, sum(impact)::bigint AS impact,
           sum(controlled) AS jobs_controlled
    FROM (
        SELECT execution_node AS node, sign AS total, active AS running, active * task_impact::bigint AS impact,
               0 AS controlled
        FROM changes WHERE execution_node <> ''
        UNION ALL
        SELECT controller_node, 0, 0, 0, active FROM changes WHERE controller_node <> '' AND active <> 0
    ) AS parts
    GROUP BY node
    HAVING sum(total) <> 0 OR sum(running) <> 0 OR sum(impact) <> 0 OR sum(controlled) <> 0
) AS sums
    ON CONFLICT (node, slot) DO UPDATE SET jobs_total = kept.jobs_total + EXCLUDED.jobs_total, jobs_running = kept.jobs_running + EXCLUDED.jobs_running, impact = kept.impact + EXCLUDED.impact, jobs_controlled = kept.jobs_controlled + EXCLUDED.jobs_controlled),
    of_groups AS (
    INSERT INTO instances_groupload AS kept (slot, "group", jobs_total, jobs_running, impact)
    SELECT mine, "group", jobs_total, jobs_running, impact FROM (
    SELECT instance_group_id AS "group", sum(sign) AS jobs_total, sum(active) AS jobs_running,
           sum(active * task_impact::bigint)::bigint AS impact
    FROM changes WHERE instance_group_id IS NOT NULL
    GROUP BY instance_group_id
    HAVING sum(sign) <> 0 OR sum(active) <> 0 OR sum(active * task_impact::bigint) <> 0
) AS sums
    ON CONFLICT ("group", slot) DO UPDATE SET jobs_total = kept.jobs_total + EXCLUDED.jobs_total, jobs_running = kept.jobs_running + EXCLUDED.jobs_running, impact = kept.impact + EXCLUDED.impact)
    
    INSERT INTO instances_jobcount AS kept (slot, node, status, launch_type, jobs)
    SELECT mine, node, status, launch_type, jobs FROM (
    SELECT execution_node AS node, status, launch_type, sum(sign) AS jobs
    FROM changes
    GROUP BY execution_node, status, launch_type
    HAVING sum(sign) <> 0
) AS sums
    ON CONFLICT (node, status, launch_type, slot) DO UPDATE SET jobs = kept.jobs + EXCLUDED.jobs;
    RETURN NULL;
END $function$
;

CREATE OR REPLACE FUNCTION instances_jobs_truncate()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'feature_not_supported',
            MESSAGE = 'jobs can be truncated by a READ COMMITTED transaction only',
            HINT = 'DELETE removes them in any transaction.';
    END IF;
    DELETE FROM instances_nodeload WHERE NOT baseline;
    DELETE FROM instances_groupload WHERE NOT baseline;
    DELETE FROM instances_jobcount;
    RETURN NULL;
END $function$
;

CREATE OR REPLACE FUNCTION instances_jobs_update()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
DECLARE
    mine integer := instances_counting_slot();
BEGIN
    WITH changes AS MATERIALIZED (
    SELECT 1 AS sign, CASE WHEN status IN ('running', 'waiting') THEN 1 ELSE 0 END AS active,
           execution_node, controller_node, instance_group_id, status, launch_type, task_impact
    FROM new_rows
UNION ALL
    SELECT -1 AS sign, CASE WHEN status IN ('running', 'waiting') THEN -1 ELSE 0 END AS active,
           execution_node, controller_node, instance_group_id, status, launch_type, task_impact
    FROM old_rows
),
    of_nodes AS (
    INSERT INTO instances_nodeload AS kept (slot, node, jobs_total, jobs_running, impact, jobs_controlled)
    SELECT mine, node, jobs_total, jobs_running, impact, jobs_controlled FROM (
    SELECT node, sum(total) AS jobs_total, sum(running) AS jobs_running, sum(impact)::bigint AS impact,
           sum(controlled) AS jobs_controlled
    FROM (
        SELECT execution_node AS node, sign AS total, active AS running, active * task_impact::bigint AS impact,
               0 AS controlled
        FROM changes WHERE execution_node <> ''
        UNION ALL
        SELECT controller_node, 0, 0, 0, active FROM changes WHERE controller_node <> '' AND active <> 0
    ) AS parts
    GROUP BY node
    HAVING sum(total) <> 0 OR sum(running) <> 0 OR sum(impact) <> 0 OR sum(controlled) <> 0
) AS sums
    ON CONFLICT (node, slot) DO UPDATE SET jobs_total = kept.jobs_total + EXCLUDED.jobs_total, jobs_running = kept.jobs_running + EXCLUDED.jobs_running, impact = kept.impact + EXCLUDED.impact, jobs_controlled = kept.jobs_controlled + EXCLUDED.jobs_controlled),
    of_groups AS (
    INSERT INTO instances_groupload AS kept (slot, "group", jobs_total, jobs_running, impact)
    SELECT mine, "group", jobs_total, jobs_running, impact FROM (
    SELECT instance_group_id AS "group", sum(sign) AS jobs_total, sum(active) AS jobs_running,
           sum(active * task_impact::bigint)::bigint AS impact
    FROM changes WHERE instance_group_id IS NOT NULL
    GROUP BY instance_group_id
    HAVING sum(sign) <> 0 OR sum(active) <> 0 OR sum(active * task_impact::bigint) <> 0
) AS sums
    ON CONFLICT ("group", slot) DO UPDATE SET jobs_total = kept.jobs_total + EXCLUDED.jobs_total, jobs_running = kept.jobs_running + EXCLUDED.jobs_running, impact = kept.impact + EXCLUDED.impact)
    
    INSERT INTO instances_jobcount AS kept (slot, node, status, launch_type, jobs)
    SELECT mine, node, status, launch_type, jobs FROM (
    SELECT execution_node AS node, status, launch_type, sum(sign) AS jobs
    FROM changes
    GROUP BY execution_node, status, launch_type
    HAVING sum(sign) <> 0
) AS sums
    ON CONFLICT (node, status, launch_type, slot) DO UPDATE SET jobs = kept.jobs + EXCLUDED.jobs;
    RETURN NULL;
END $function$
;

